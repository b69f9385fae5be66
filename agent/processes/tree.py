"""A process with all that it has started: find it, end it, see that it has ended."""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional

from agent.processes.identity import Identity, Process
from agent.processes.system import carries, end_one, snapshot

#: Seconds between two checks of the processes that are being ended.
_POLL_INTERVAL = 0.03
#: Seconds after which a process that was ended by force and is still there counts as left.
_GIVE_UP_AFTER = 5.0


class Ended(NamedTuple):
    """Who was ended, and who is left although we tried."""

    ended: List[Identity]
    left: List[Identity]


def members(root: Identity, mark: Optional[str] = None) -> List[Process]:
    """Return the living processes of ``root``: itself, its session and its descendants.

    When ``root`` has ended itself, its session is taken for its own only if the process carries
    ``mark`` in its environment, since a pid can be used again; without a mark the caller vouches
    that it can't have been.
    """
    return members_among(root, mark, snapshot())


def members_among(root: Identity, mark: Optional[str], processes: List[Process]) -> List[Process]:
    """Return those of ``processes`` that :func:`members` returns."""
    leader = next((process for process in processes if process.identity.pid == root.pid), None)
    if leader is not None and leader.identity != root:
        return []  # another process has the pid, which is only possible if our session is empty
    ours = [process for process in processes if process.session == root.pid]
    if leader is not None:
        ours.append(leader)
    elif mark is not None:
        ours = [process for process in ours if carries(process.identity.pid, mark)]
    found = {process.identity.pid: process for process in ours}
    grew = True
    while grew:
        more = [p for p in processes if p.parent in found and p.identity.pid not in found]
        found.update((process.identity.pid, process) for process in more)
        grew = bool(more)
    found.pop(os.getpid(), None)
    return list(found.values())


def end(
    roots: Iterable[Identity],
    *,
    timeout: float = 2.0,
    mark: Optional[str] = None,
    clock: Callable[[], float] = time.monotonic,
) -> Ended:
    """End the processes of all ``roots`` and see that they have ended.

    They are asked first (not on Windows, which can't) and ended by force after ``timeout`` seconds.
    ``mark`` as for :func:`members`.
    """
    starts = list(roots)
    met: Dict[Identity, bool] = {}
    deadline = clock() + timeout
    while True:
        try:
            processes = snapshot()
        except OSError:  # the system is out of handles
            if clock() > deadline + _GIVE_UP_AFTER:
                raise
            time.sleep(_POLL_INTERVAL)
            continue
        living = {process.identity for process in processes}.intersection(met)
        for root in starts:
            living.update(process.identity for process in members_among(root, mark, processes))
        now = clock()
        if not living or now > deadline + _GIVE_UP_AFTER:
            return Ended([who for who in met if who not in living], sorted(living))
        force = now >= deadline
        for identity in living:
            if force or identity not in met:
                end_one(identity, force)
                met[identity] = force
        time.sleep(_POLL_INTERVAL)
