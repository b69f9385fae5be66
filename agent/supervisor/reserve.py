"""Space on the disk that is kept for how a run ended, so that a full disk does not hide it."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress

from agent import durable
from agent.paths import shown
from agent.private import opener
from agent.supervisor.folder import RunFolder, write_status
from agent.wire.runs import RunStatus

#: Bytes: a status of 64 ranks with their stacks, twice.
_SIZE = 1 << 20
#: With less free space than this a disk counts as full.
_FULL = 64 * 1024
#: ENOSPC and EDQUOT; ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL of Windows are ENOSPC.
_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def reserve(folder: RunFolder) -> None:
    """Take the space, if the disk has it."""
    with suppress(OSError), open(folder.reserve, "xb", opener=opener) as file:
        file.write(os.urandom(_SIZE))  # a compressing file system would store zeros in no space


def release(folder: RunFolder) -> None:
    """Give the space back."""
    with suppress(OSError):
        durable.remove(folder.reserve)


def lacks_space(error: OSError) -> bool:
    """Return whether a write failed because the disk, or the user's quota, is full."""
    return error.errno in _NO_SPACE


def disk_full(folder: RunFolder) -> bool:
    """Return whether the run's disk has no space left."""
    try:
        free = shutil.disk_usage(shown(folder.path)).free
    except OSError:
        return False
    return free < _FULL


def write_last(folder: RunFolder, status: RunStatus) -> None:
    """Write how a run ended, on a full disk in the place of what was reserved; raises OSError."""
    try:
        write_status(folder, status)
    except OSError as error:
        if not lacks_space(error):
            raise
        release(folder)
        write_status(folder, status)
