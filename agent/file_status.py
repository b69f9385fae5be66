"""Whether an entry of a folder is a link, and how old it is: both from its status."""

from __future__ import annotations

import os
import stat
import time

#: A reparse point of Windows with this bit is a link or a junction, not an OneDrive file.
_SURROGATE = 0x20000000


def leads_elsewhere(status: os.stat_result) -> bool:
    """Return whether a status that follows no link is one of a link or a junction."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _SURROGATE)


def age(path: str) -> float:
    """Return the seconds since the entry was written, infinite for none."""
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return float("inf")
