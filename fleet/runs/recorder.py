"""Appends a run's events to its file: one console at a time, whole lines only."""

from __future__ import annotations

import json
import os
import sys
from typing import BinaryIO, Self

from fleet.events import Event, Notice, to_json
from fleet.runs.store import RunStore

#: Windows locks bytes, and others can't read those: one far behind the text.
_LOCKED_BYTE = 1 << 30


class Recorder:
    """Holds the run's lock while it is open. Use as context manager.

    The system lets go of the lock when the process ends, however it ends, so a dead console's pid never
    has to be told from a living one's.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock: BinaryIO | None = None
        self._file: BinaryIO | None = None
        self._size = 0

    def __enter__(self) -> Self:
        lock = (self._store.folder / "recorder.lock").open("a+b")
        if not _try_lock(lock):
            lock.close()
            return self
        self._lock = lock
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid()}).encode("ascii"))
        lock.flush()
        self._file = self._store.events_file.open("a+b", buffering=0)
        self._drop_torn_line()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    @property
    def recording(self) -> bool:
        """False when another console records this run: then nothing is written here."""
        return self._file is not None

    def write(self, event: Event) -> Notice | None:
        """Append the event; returns a Notice when the disk refuses it, after which nothing is written.

        What is missing then can be had again from the nodes: their logs are the truth.
        """
        if self._file is None:
            return None
        line = to_json(event).encode("utf-8") + b"\n"
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(self._size)
            self._close()
            return Notice(
                at=event.at,
                level="error",
                text=f"the run is no longer recorded: {error.strerror} ({self._store.events_file})",
                remedy="the run itself goes on; free space on this disk and open the console again",
            )
        self._size += len(line)
        return None

    def _drop_torn_line(self) -> None:
        """Cut off what a console that was killed left half written."""
        assert self._file is not None
        size = end = self._file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            self._file.seek(start)
            at = (self._file.read(end - start) or b"").rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        if end < size:
            self._file.truncate(end)
        self._size = end


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
