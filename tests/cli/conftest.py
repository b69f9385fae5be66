"""A project folder, loopback nodes started by ``dtui lab``, and the command as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE = 180.0


@dataclass
class Project:
    """A folder on the master in which ``dtui`` is run."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        # A lab in a network of its own must not look after the folders of labs in others.
        temporary = self.folder.parent / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(self.folder.parent / "cache"),
            "TMPDIR": str(temporary),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tui", *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def nodes(own_network: None, project: Project) -> Iterator[Path]:
    """Two loopback workers; yields the inventory that names them."""
    inventory = project.folder / "configs" / "nodes.yaml"
    lab = project.start("lab", "--nodes", "2", "--inventory-out", str(inventory))
    try:
        deadline = time.monotonic() + DEADLINE
        while not inventory.exists():
            assert lab.poll() is None, lab.communicate()[1]
            assert time.monotonic() < deadline, "the lab did not start"
            time.sleep(0.02)
        yield inventory
    finally:
        lab.send_signal(signal.SIGINT)
        lab.communicate(timeout=DEADLINE)
