"""The one place that chooses between Windows and POSIX."""

from __future__ import annotations

import sys
from typing import Optional

from agent.processes.identity import Identity

if sys.platform == "win32":
    from agent.processes.windows import carries, end_one, marked, snapshot, start_time, usage
else:
    from agent.processes.posix import carries, end_one, marked, snapshot, start_time, usage

__all__ = ["alive", "carries", "end_one", "identify", "marked", "snapshot", "start_time", "usage"]


def identify(pid: int) -> Optional[Identity]:
    """Return the process that has this pid now, None without one or for a zombie."""
    found = start_time(pid)
    return None if found is None else Identity(pid, found)


def alive(identity: Identity) -> bool:
    """Return whether this very process still runs."""
    return start_time(identity.pid) == identity.start_time
