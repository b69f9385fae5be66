"""``dtui lab --windows``, and that nothing of a machine is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.wine.cache import default_cache
from lab.wine.machine import remove_abandoned

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]

ROOT = Path(__file__).parent.parent.parent


def machines(owner: int) -> list[Path]:
    return list(default_cache().glob(f"machine-{owner}-*"))


def test_the_lab_starts_windows_nodes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tui", "lab", "--nodes", "2", "--winrm", "1", "--windows"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    kinds = [process.stdout.readline().split()[1] for _ in range(2)]
    assert kinds == ["ssh", "winrm"]
    (machine,) = machines(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not machine.exists()
    assert not _wine_processes(machine)


def test_a_machine_whose_owner_was_killed_is_ended_by_the_next(tmp_path: Path) -> None:
    code = (
        "from lab.wine.machine import WindowsMachine; WindowsMachine().start(); print(1, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "1\n"
    process.kill()
    process.wait()
    (machine,) = machines(process.pid)
    assert _wine_processes(machine)
    remove_abandoned(default_cache())
    assert not machine.exists()
    assert not _wine_processes(machine)


def _wine_processes(machine: Path) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"WINEPREFIX={machine}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
