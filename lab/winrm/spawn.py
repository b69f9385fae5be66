"""How the service starts a command; on POSIX with a process session in place of the job object."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Protocol

#: The exit code of Windows for a process that Ctrl-C has ended.
_CONTROL_C_EXIT = 0xC000013A


class Process(Protocol):
    """A running command: raw byte pipes, and the tree of its processes."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def wait(self) -> int:
        """Return the exit code."""

    def running(self) -> bool:
        """Whether the first process still runs."""

    def interrupt(self) -> None:
        """Deliver Ctrl-C."""

    def kill_tree(self) -> None:
        """End the process and all that it started and that did not break away."""


#: Starts a command line as cmd.exe would (or without a shell, depending on the flag) in a folder.
Spawn = Callable[[str, Mapping[str, str], str | None, bool], Process]


class _PosixProcess:
    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self.stdin, self.stdout, self.stderr = popen.stdin, popen.stdout, popen.stderr
        self._popen = popen

    def wait(self) -> int:
        code = self._popen.wait()
        return _CONTROL_C_EXIT if code == -signal.SIGINT else code & 0xFFFFFFFF

    def running(self) -> bool:
        return self._popen.poll() is None

    def interrupt(self) -> None:
        self._signal(signal.SIGINT)

    def kill_tree(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


def posix_shell(root: Path | None = None, environment: Mapping[str, str] | None = None) -> Spawn:
    """Return a Spawn that runs ``/bin/sh -c`` in ``root`` with ``environment`` instead of our own.

    A new session replaces the job object: deleting the shell kills the group, and a child that
    calls setsid() is one that broke away.
    """

    def spawn(line: str, extra: Mapping[str, str], cwd: str | None, no_shell: bool) -> Process:
        base = dict(os.environ if environment is None else environment)
        popen = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=base | dict(extra),
            cwd=cwd or root,
            start_new_session=True,
        )
        return _PosixProcess(popen)

    return spawn
