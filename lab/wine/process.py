"""One Windows command line that runs, seen as a `lab.winrm.spawn.Process`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

from lab.wine.tools import WINE

Mode = Literal["ssh", "winrm"]


class WineProcess:
    """Starts ``line`` in the job that the service ``mode`` would make; ``folder`` is a Windows path.

    ``variables`` are set as they are for the command, also where Wine has its own idea of them.
    """

    def __init__(
        self,
        winexec: Path,
        environment: Mapping[str, str],
        mode: Mode,
        line: str,
        *,
        variables: Mapping[str, str],
        folder: str,
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="winexec-"))
        errors = self._scratch / "stderr"
        os.mkfifo(errors)
        reading = os.open(errors, os.O_RDONLY | os.O_NONBLOCK)
        # Our own writing end keeps the reader from an early end of file.
        self._writing = os.open(errors, os.O_WRONLY)
        os.set_blocking(reading, True)
        self.stderr: IO[bytes] = os.fdopen(reading, "rb", buffering=0)
        names = {f"WINSET_{name}": value for name, value in variables.items()}
        self._popen = subprocess.Popen(
            [WINE, winexec, mode, _z(errors), _z(self._scratch / "status"), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**environment, **names, "WINEXEC_LINE": line},
            start_new_session=True,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self.stdin: IO[bytes] = self._popen.stdin
        self.stdout: IO[bytes] = self._popen.stdout
        self._status: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def wait(self) -> int:
        """Return the Windows exit code, 0 to 2^32-1."""
        self._ended.wait()
        assert self._status is not None
        return self._status

    def running(self) -> bool:
        """Whether the command still runs."""
        return not self._ended.is_set()

    def interrupt(self) -> None:
        """End the command: Wine delivers no Ctrl-C to a process without a console."""
        self.kill_tree()

    def kill_tree(self) -> None:
        """End the launcher; in winrm mode it holds the job's last handle, so the job ends with it."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.kill()

    def _watch(self) -> None:
        code = self._popen.wait()
        try:
            self._status = int((self._scratch / "status").read_text())
        except (OSError, ValueError):
            self._status = code & 0xFFFFFFFF
        os.close(self._writing)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._ended.set()


def _z(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")
