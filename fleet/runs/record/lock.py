"""The lock of a run's record: one console at a time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from agent import private

#: Windows locks bytes, which others then can't read: this one is far after the text.
_LOCKED_BYTE = 1 << 30


def lock_record(path: Path) -> BinaryIO | None:
    """Return the locked file, which holds the lock until it is closed; None when another process has it.

    The system releases the lock when the process ends, however it ends. Raises OSError.
    """
    handle = private.opener(os.fspath(path), os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    lock = os.fdopen(handle, "r+b")
    if not _try_lock(lock):
        lock.close()
        return None
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid()}).encode("ascii"))
    lock.flush()
    return lock


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
