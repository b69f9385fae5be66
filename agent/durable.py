"""Changes to files that survive what Windows, a full disk or a power cut do to them."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from typing import Any, Callable, Optional

#: Access denied, sharing violation, lock violation: a virus scanner or an indexer holds the file.
_HELD = (5, 32, 33)
_PATIENCE = 5.0


def replace(source: str, target: str) -> None:
    """Rename, replacing ``target``, even a read-only one; waits for scanners on Windows. Raises OSError."""
    _patiently(lambda: os.replace(source, target), target)


def remove(path: str) -> None:
    """Remove a file, even a read-only one, if it exists; raises OSError."""
    with suppress(FileNotFoundError):
        _patiently(lambda: os.remove(path), path)


def _patiently(change: Callable[[], None], path: str) -> None:
    pause, waited = 0.01, 0.0
    while True:
        try:
            return change()
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD or waited > _PATIENCE:
                raise
        with suppress(OSError):
            os.chmod(path, stat.S_IREAD | stat.S_IWRITE)
        time.sleep(pause)
        waited += pause
        pause = min(pause * 2, 0.5)


def write_json(path: str, value: Any) -> None:
    """Replace a file by ``value`` as JSON, on the disk before it has its name; raises OSError."""
    write(path, json.dumps(value, separators=(",", ":")).encode("ascii"))


def write(path: str, data: bytes) -> None:
    """Replace a file by ``data``, on the disk before it has its name; raises OSError."""
    beside = path + ".new"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(beside, path)
    except OSError:
        remove(beside)
        raise
    _sync_folder(os.path.dirname(path))


def read_json(path: str) -> Optional[Any]:
    """Return a file's JSON; None when there is none that can be read."""
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def _sync_folder(path: str) -> None:
    """Make a rename durable; Windows has no way to ask for it and needs none."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError:
        pass  # some network file systems refuse
    finally:
        os.close(folder)
