"""Every process that the ranks of a run have started, also those that left their rank's session.

On Linux the supervisor is a subreaper: a process whose parent ends becomes its child, so it finds and ends
all of them. If the supervisor itself is killed, ``processes.json`` names them; on Windows its job ends them.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from typing import Dict, List, Set, TypedDict

from agent import durable
from agent.processes import Identity, Process
from agent.processes.tree import members_among
from agent.supervisor.folder import RunFolder, write
from agent.wire.decode import WireError, decode
from agent.wire.runs import RankProcess

_SET_CHILD_SUBREAPER = 36
#: Processes that are recorded; a rank with more is beyond what can be ended one by one.
_MOST = 2000
_LARGEST = 1 << 20


class _Recorded(TypedDict):
    processes: List[RankProcess]


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends; only Linux has this."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(ranks: Set[int]) -> None:
    """Reap adopted processes that have ended; those of ``ranks`` (pids) are reaped by their own threads."""
    if not hasattr(os, "waitid"):
        return
    with suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid in ranks:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


class Descendants:
    """Follows the descendants of one supervisor and records them."""

    def __init__(self, folder: RunFolder, supervisor: Identity) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._known: Dict[Identity, int] = {}

    def record(self, ranks: Dict[int, Identity], processes: List[Process]) -> None:
        """Write who lives of the ranks' processes, by rank, if that has changed; raises OSError."""
        found: Dict[Identity, RankProcess] = {}
        for rank, identity in ranks.items():
            for process in members_among(identity, None, processes):
                found[process.identity] = _entry(process, rank)
        for process in members_among(self._supervisor, None, processes):
            if process.identity not in found:  # adopted
                rank = self._known.get(process.identity, min(ranks, default=0))
                found[process.identity] = _entry(process, rank)
        if found.keys() != self._known.keys():
            write(self._folder.processes, {"processes": list(found.values())[:_MOST]})
            self._known = {identity: one["rank"] for identity, one in found.items()}


def recorded(folder: RunFolder) -> List[RankProcess]:
    """Return what a supervisor has recorded; ranks can write the file too, so it may hold anything."""
    try:
        return decode(_Recorded, durable.read_json(folder.processes, _LARGEST), tolerant=True)["processes"][
            :_MOST
        ]
    except WireError:
        return []


def _entry(process: Process, rank: int) -> RankProcess:
    return {"rank": rank, "name": process.name, **process.identity.as_json()}
