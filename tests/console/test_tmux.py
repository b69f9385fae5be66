"""``dtui`` in a terminal, by keyboard, on nodes that ``dtui lab`` has started."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tmux import DEADLINE, PROMPT, Tmux

PROGRAM = """
import os, pathlib, time
stop, number = pathlib.Path(os.environ["DTUI_STOP_FILE"]), 0
while not stop.exists():
    number += 1
    print("needle" if number == 7 else "straw", number, "of rank", os.environ["RANK"], flush=True)
    time.sleep(0.05)
print("asked to stop", flush=True)
"""


@contextmanager
def lab(folder: Path) -> Iterator[dict[str, Any]]:
    """Two loopback workers; yields the inventory that names them."""
    inventory = folder / "nodes.yaml"
    command = [sys.executable, "-m", "tui", "lab", "--nodes", "2", "--inventory-out", str(inventory)]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + DEADLINE
        while not inventory.exists():
            assert process.poll() is None, "the lab has ended"
            assert time.monotonic() < deadline, "the lab did not start"
            time.sleep(0.05)
        yield yaml.safe_load(inventory.read_text("utf-8"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE)


def project_with_one_node(folder: Path, said: dict[str, Any]) -> str:
    """Write a project whose inventory lacks the second node, but has its key; returns ``address:port``."""
    first, second = said["nodes"]
    where = f"{second['address']}:{second['port']}"
    defaults = {key: value for key, value in second.items() if key not in ("name", "address", "port")}
    inventory = {
        **said,
        "project": "..",
        "defaults": defaults,
        "nodes": [first],
        "run": {"script": "work.py"},
    }
    (folder / "configs").mkdir()
    (folder / "configs" / "nodes.yaml").write_text(yaml.safe_dump(inventory, sort_keys=False), "utf-8")
    (folder / "work.py").write_text(PROGRAM, "utf-8")
    return where


@pytest.fixture
def terminal(own_network: None, tmp_path: Path) -> Iterator[tuple[Tmux, str]]:
    """A shell in a project with one of two nodes, and where the other node is."""
    project, beside = tmp_path / "project", tmp_path / "lab"
    project.mkdir()
    beside.mkdir()
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with lab(beside) as said:
        where = project_with_one_node(project, said)
        with Tmux(project, environment, columns=120, rows=40) as tmux:
            yield tmux, where


@pytest.mark.needs("tmux", "sshd")
def test_from_adding_a_node_to_taking_up_the_run(terminal: tuple[Tmux, str]) -> None:
    tmux, where = terminal
    dtui = f"{sys.executable} -m tui"

    tmux.enter(dtui)
    tmux.until("host key of")
    tmux.press("y")
    tmux.until("2/2 up")

    tmux.press("a")
    tmux.until("Add a node")
    tmux.enter("second")
    tmux.enter(where)
    tmux.press("C-s")
    tmux.until("host key of")
    tmux.press("y")
    tmux.until("3/3 up")

    tmux.press("2", "p")
    tmux.until("All nodes are ready")

    tmux.press("3", "d")
    tmux.until("3 of 3 nodes ready")
    tmux.press("l")
    tmux.until("Start")
    tmux.press("y")

    tmux.until("3/3 ranks up")
    # By now the needle has left the pane.
    tmux.until(r"straw \d{3} of rank 0")
    assert "needle" not in tmux.screen()
    # In one piece: the letters arrive before the prompt is there.
    tmux.enter("/needle")
    tmux.until(r"needle 7 of rank 0")
    tmux.until(r"Search \(", gone=True)

    tmux.press("q")
    tmux.until("keeps running")
    tmux.press("y")
    shown = tmux.until(r"Run \S+ keeps running without the console")
    (run,) = re.findall(r"Run (\S+) keeps running without the console", shown)

    tmux.enter("clear")
    tmux.until("keeps running", gone=True)
    tmux.enter(dtui)
    tmux.until("3/3 ranks up")
    tmux.until(run)
    tmux.press("X")
    tmux.until("Stop")
    tmux.press("y")
    tmux.until("stopped")
    tmux.until("asked to stop")
    # Until the run has ended, leaving asks.
    tmux.until("stopped by request")
    tmux.press("q")
    tmux.until(PROMPT)

    tmux.enter(dtui)
    tmux.until("3/3 up")
    tmux.press("5")
    tmux.until(rf"{run}.*stopped")
    tmux.press("q")
    tmux.until(PROMPT)
