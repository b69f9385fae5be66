"""Keeps a rank's log under a limit while the rank writes on: its start and its end stay.

The rank writes straight into the file, so that it depends on no reader: a pipe through the supervisor
would block or end the rank with the supervisor. What is in the middle is released by a hole in the file
(``fallocate`` on Linux, a sparse file on Windows). Offsets do not change, so a reader that
follows the file continues at its position. A line at the start of the hole states how much was dropped, and
``rank-<n>.log.gap`` (``{"start", "end"}``) states it for programs. It is written before the hole is made:
data read from the file is valid if the gap, checked afterwards, does not cover it.

On a file system without holes, the end is copied to ``rank-<n>.log.old`` and the file is truncated, which
a follower reports. (POSIX only: a rank on Windows does not append.)
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import IO, Any, Optional, Tuple

from agent.private import opener
from agent.supervisor.folder import read, write

#: Bytes of one rank's log that stay on the disk.
LIMIT = 1 << 30
#: The first bytes are kept: they show how the rank was started.
_HEAD = 16 << 20
_LEAST = 1 << 16
_LINE = 1 << 16
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


def gap_file(log: str) -> str:
    """Return where the gap of a log is described."""
    return log + ".gap"


def read_gap(log: str) -> Tuple[int, int]:
    """Return the start and end of the bytes that were dropped from a log, two zeros for none."""
    file = gap_file(log)
    found = read(file) if os.path.exists(file) else None
    try:
        return (int(found["start"]), int(found["end"])) if found else (0, 0)
    except (KeyError, TypeError, ValueError):
        return 0, 0


class LogLimit:
    """Watches one log; ``limit`` in bytes, 64 KiB at least."""

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = max(limit, _LEAST)
        self._head = min(_HEAD, self._limit // 4)
        self._start, self._end = read_gap(path)
        self._given_up = False

    def check(self) -> Optional[str]:
        """Drop the middle of a log that has become too large; return what to note, None if nothing."""
        if self._given_up:
            return None
        try:
            size = os.stat(self._path).st_size
            if size < self._end:  # another process truncated it
                self._start = self._end = 0
            if size - (self._end - self._start) <= self._limit:
                return None
            with open(self._path, "r+b", buffering=0, opener=opener) as file:
                return self._drop(file, size)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._given_up = True
            return "%s can't be kept under its limit: %s" % (os.path.basename(self._path), error)

    def _drop(self, file: IO[bytes], size: int) -> str:
        start = self._start if self._end else _after_line(file, self._head)
        # Half of the rest stays, so that this happens seldom.
        end = _after_line(file, size - (self._limit - self._head) // 2)
        dropped = end - start
        marker = b"\n[dtui: %d bytes of this log were dropped here, its limit is %d]\n" % (
            dropped,
            self._limit,
        )
        write(gap_file(self._path), {"start": start, "end": end})
        try:
            _punch(file, start, dropped)
        except OSError:
            os.remove(gap_file(self._path))
            if os.name == "nt":
                raise
            self._start_anew(file, size)
            return "%s was restarted at %d bytes" % (os.path.basename(self._path), size)
        file.seek(start)
        file.write(marker[:dropped])
        self._start, self._end = start, end
        return "%s: %d bytes dropped" % (os.path.basename(self._path), dropped)

    def _start_anew(self, file: IO[bytes], size: int) -> None:
        file.seek(_after_line(file, max(size - self._limit // 2, 0)))
        with open(self._path + ".old", "wb", opener=opener) as old:
            while True:
                piece = file.read(1 << 20)
                if not piece:
                    break
                old.write(piece)
        file.truncate(0)
        with open(self._path, "ab", buffering=0, opener=opener) as again:
            again.write(b"[dtui: %d bytes were dropped here, the last of them are in .old]\n" % size)
        self._start = self._end = 0


def _after_line(file: IO[bytes], at: int) -> int:
    """Return where the first line after ``at`` begins, ``at`` itself when none does within 64 KiB."""
    file.seek(at)
    return at + file.read(_LINE).find(b"\n") + 1


def _punch(file: IO[bytes], start: int, length: int) -> None:
    """Release the bytes of a part of a file, which reads as zeros afterwards; raises OSError."""
    if sys.platform == "win32":
        _zero(file, start, start + length)
        return
    library: Any = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if call is None:
        raise OSError("this system makes no holes in files")
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if call(file.fileno(), _KEEP_SIZE | _PUNCH_HOLE, start, length):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if sys.platform == "win32":
    import msvcrt
    from ctypes import wintypes

    _SET_SPARSE, _SET_ZERO_DATA = 0x900C4, 0x980C8

    def _zero(file: IO[bytes], start: int, end: int) -> None:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(file.fileno()))
        span = (ctypes.c_int64 * 2)(start, end)
        done = wintypes.DWORD()
        for code, data, size in ((_SET_SPARSE, None, 0), (_SET_ZERO_DATA, span, ctypes.sizeof(span))):
            if not kernel.DeviceIoControl(handle, code, data, size, None, 0, ctypes.byref(done), None):
                raise ctypes.WinError(ctypes.get_last_error())
