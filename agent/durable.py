"""Changes to files that survive what Windows, a full disk or a power cut do to them."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from contextlib import suppress
from typing import Any, Callable, Optional

from agent.private import opener
from agent.wire.frames import parse_json
from agent.wire.message import message

#: Access denied, sharing violation, lock violation: a virus scanner or an indexer holds the file.
_HELD = (5, 32, 33)
_TIMEOUT = 5.0
#: Bytes of a JSON file in ``.dtui``, and of one that lists the files of a project: about a million.
LARGEST = 16 << 20
LARGEST_LIST = 128 << 20


def replace(source: str, target: str) -> None:
    """Rename, replacing ``target``, even a read-only one; waits for scanners on Windows. Raises OSError."""
    _with_retries(lambda: os.replace(source, target), target)


def remove(path: str) -> None:
    """Remove a file, even a read-only one, if it exists; raises OSError."""
    with suppress(FileNotFoundError):
        _with_retries(lambda: os.remove(path), path)


def _with_retries(change: Callable[[], None], path: str) -> None:
    pause, waited = 0.01, 0.0
    while True:
        try:
            return change()
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD or waited > _TIMEOUT:
                raise
        with suppress(OSError):
            os.chmod(path, stat.S_IREAD | stat.S_IWRITE)
        time.sleep(pause)
        waited += pause
        pause = min(pause * 2, 0.5)


def write_json(path: str, value: Any) -> None:
    """Replace a file by ``value`` as JSON, on the disk before it has its name; raises OSError."""
    write(path, json.dumps(value, separators=(",", ":")).encode("ascii"))


def write(path: str, data: bytes, private: bool = True) -> None:
    """Replace a file by ``data``, on the disk before it has its name; raises OSError.

    One that is not ``private`` gets the mode that the user's umask gives to new files.
    """
    new = path + ".new"
    remove(new)
    try:
        with open(new, "xb", opener=opener if private else None) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(new, path)
    except OSError:
        remove(new)
        raise
    _sync_folder(os.path.dirname(path))


def read_json(path: str, limit: int = LARGEST) -> Optional[Any]:
    """Return a file's JSON; None when there is none that can be read (see :func:`read_file`)."""
    try:
        return parse_json(read_file(path, limit))
    except (OSError, ValueError):
        return None


def read_file(path: str, limit: int = LARGEST, opener: Callable[[str, int], int] = opener) -> bytes:
    """Return the contents of a file in ``.dtui``; raises OSError, also for what is no file of ours.

    A program of the project may have put anything in its place: a pipe would block us, a link would lead
    elsewhere, and a sparse file of terabytes would fill our memory. For files of the project, which may be
    links, ``opener`` is agent.private.regular.
    """
    with open(path, "rb", opener=opener) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            large = message("private.too-large", "larger than {limit:bytes}", limit=limit)
            raise OSError(errno.EFBIG, large, path)
        return file.read(size)  # reading up to the limit would take that much memory


def _sync_folder(path: str) -> None:
    """Make a rename durable; Windows cannot do that on request and does not need it."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError:
        pass  # some network file systems refuse
    finally:
        os.close(folder)
