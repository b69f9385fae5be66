"""How a run is asked to end early: a file, Ctrl-C, or the system's signal."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType


class StopRequest:
    """Whether this rank has been asked to stop.

    Windows knows no SIGTERM, so a launcher leaves a file. One rank's wish is no decision: the training
    loop lets all ranks agree.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._signalled = False

    def listen(self) -> None:
        """Take over SIGTERM and Ctrl-C (and Windows' Ctrl-Break); a second signal ends the process."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        signal.signal(number, signal.SIG_DFL)

    @property
    def asked(self) -> bool:
        """Whether a signal came or the file is there."""
        return self._signalled or (self._file is not None and self._file.exists())
