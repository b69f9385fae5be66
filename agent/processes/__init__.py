"""Facts about processes and their ends, the same on Windows and POSIX.

A process is known by its pid **and** its start time, never by the pid alone: systems use pids again.
"""

from __future__ import annotations

from agent.processes.group import Group
from agent.processes.identity import Identity, Process
from agent.processes.system import alive, identify, marked, snapshot
from agent.processes.tree import Ended, end, members

__all__ = [
    "Ended",
    "Group",
    "Identity",
    "Process",
    "alive",
    "end",
    "identify",
    "marked",
    "members",
    "snapshot",
]
