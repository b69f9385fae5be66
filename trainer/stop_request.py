"""Requests to stop a run early: a file, Ctrl-C, or a termination signal."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType


class StopRequest:
    """Whether this rank was asked to stop.

    Windows has no SIGTERM, so a launcher creates a file instead. A request on one rank stops nothing by
    itself: the training loop makes all ranks agree first.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._signalled = False

    def install_signal_handlers(self) -> None:
        """Handle SIGTERM, Ctrl-C and Windows' Ctrl-Break; a second signal ends the process."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, self._handle_signal)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        signal.signal(number, signal.SIG_DFL)

    @property
    def requested(self) -> bool:
        """Whether a signal arrived or the file exists."""
        return self._signalled or (self._file is not None and self._file.exists())
