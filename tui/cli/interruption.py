"""Requests to end this process are treated as Ctrl-C: a lab cleans up, connections close."""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from collections.abc import Callable

#: Of SetConsoleCtrlHandler: the window was closed, the user logs off, the system shuts down.
_CLOSING = (2, 5, 6)
#: Windows ends the process 5 s after such an event, whatever its handler does.
_SECONDS = 4.5


def end_as_interrupted() -> None:
    """Treat a request to end, Ctrl-Break, a closed terminal and a closed console window as Ctrl-C."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: _interrupt())
    if sys.platform == "win32":
        _listen(ClosedWindow(_interrupt))


class ClosedWindow:
    """Handles the events of a Windows console on a thread of the system's.

    Windows ends the process as soon as the handler of a closed window returns, so it waits for the main
    thread.
    """

    def __init__(self, interrupt: Callable[[], object], seconds: float = _SECONDS) -> None:
        self._interrupt = interrupt
        self._seconds = seconds
        self._ended = threading.Event()

    def end(self, *_kept: object) -> None:
        """Let the handler return, for this process has cleaned up."""
        self._ended.set()

    def handle(self, event: int) -> bool:
        """Return whether the event was handled; Ctrl-C and Ctrl-Break are signals of Python's."""
        if event not in _CLOSING:
            return False
        self._interrupt()
        self._ended.wait(self._seconds)
        return True


def _interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def _listen(window: ClosedWindow) -> None:
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        kind = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
        handler = kind(window.handle)
        # Registered with the handler, which the system may call as long as this process runs.
        atexit.register(window.end, handler)
        ctypes.WinDLL("kernel32").SetConsoleCtrlHandler(handler, True)
