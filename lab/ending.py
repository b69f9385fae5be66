"""End what a lab has started: sessions by their process group, detached processes by their mark."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agent.powershell import command, startable
from lab.errors import LabError
from lab.home import MARK

_SWEEP_SECONDS = 15.0
_PAUSE = 0.02
#: Windows does not show another process's environment, so the folder identifies it there.
_WINDOWS_SEARCH = (
    "Get-CimInstance Win32_Process"
    " | Where-Object { $_.CommandLine -and $_.CommandLine.Contains($env:DTUI_LAB_ROOT) }"
    " | ForEach-Object { $_.ProcessId }"
)


def end_session(pid: int) -> None:
    """End the process that leads a session, and all of the session that did not break away."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


async def sweep(mark: str, root: Path) -> None:
    """End every process of the lab or node ``mark``, which lives in ``root``; raises LabError.

    Processes that broke away from their session are found too, for on Linux they keep the mark in
    their environment and on Windows the folder in their command line.
    """
    deadline = time.monotonic() + _SWEEP_SECONDS
    while pids := await asyncio.to_thread(_processes, mark, root):
        if time.monotonic() > deadline:
            raise LabError(f"processes of the lab do not end: {', '.join(map(str, pids))}")
        for pid in pids:
            if os.name == "nt":
                end_session(pid)
            else:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_PAUSE)


def _processes(mark: str, root: Path) -> list[int]:
    found = _in_command_lines(root) if os.name == "nt" else _in_environments(mark)
    return [pid for pid in found if pid != os.getpid()]


def _in_environments(mark: str) -> Iterator[int]:
    exact, below = f"{MARK}={mark}".encode(), f"{MARK}={mark}/".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended, or is another user's
        if any(variable == exact or variable.startswith(below) for variable in variables):
            yield int(folder.name)


def _in_command_lines(root: Path) -> Iterator[int]:
    words, environment = startable(command(_WINDOWS_SEARCH), os.environ)
    result = subprocess.run(
        words, capture_output=True, check=False, env=environment | {"DTUI_LAB_ROOT": str(root)}
    )
    if result.returncode != 0:
        raise LabError(f"the lab's processes cannot be listed: {os.fsdecode(result.stderr)[-300:]}")
    yield from (int(word) for word in result.stdout.split() if word.isdigit())
