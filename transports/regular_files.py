"""Reads files that another program may have replaced: by a FIFO, a socket, a device or a file without end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from agent.wire.message import message

#: With this flag a FIFO in place of a file can't block us.
NO_WAIT = getattr(os, "O_NONBLOCK", 0)
#: Bytes of a configuration, a key or a list of host keys. 20,000 hosts with two keys each have 8 MB.
LARGEST = 16 << 20


class NotRegularError(OSError):
    """A folder, FIFO, socket or device is in the file's place."""


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Return a descriptor of a regular file; raises OSError, NotRegularError for anything else."""
    try:
        handle = os.open(path, flags | NO_WAIT | getattr(os, "O_BINARY", 0), mode)
    except OSError as error:
        # A socket, or a FIFO that nobody reads.
        raise (_not_regular(path) if error.errno == errno.ENXIO else error) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _not_regular(path)
    except BaseException:
        os.close(handle)
        raise
    return handle


def read_regular(path: Path, limit: int = LARGEST, flags: int = os.O_RDONLY) -> bytes:
    """Return a file's bytes; raises OSError as :func:`open_regular`, and for more than ``limit`` bytes."""
    with os.fdopen(open_regular(path, flags), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            large = message("file.too-large", "larger than {limit:bytes}", limit=limit)
            raise OSError(errno.EFBIG, large, str(path))
        return file.read(size)


def open_file(path: Path) -> BufferedReader:
    """Open a file for reading, which may be a link; raises OSError as :func:`open_regular`."""
    return os.fdopen(open_regular(path), "rb")


def read_start(path: Path, limit: int) -> bytes:
    """Return at most the first ``limit`` bytes of a file; raises OSError as :func:`open_regular`."""
    with open_file(path) as file:
        # A buffer of the limit's size would be allocated for a small file, too.
        return file.read(min(limit, os.fstat(file.fileno()).st_size))


def _not_regular(path: Path) -> NotRegularError:
    what = message("file.not-regular", "not a regular file")
    return NotRegularError(errno.EINVAL, what, str(path))
