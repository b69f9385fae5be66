"""Where a run is on this node: ``status.json``, and how much of it is still true.

``{"run", "node", "state", "error", "supervisor": {"pid", "start_time"}, "ranks": [...], "at"}``, each rank
``{"rank", "local_rank", "pid", "start_time", "started_at", "exited_at", "exit_code", "stopped"}``; times are
the node's Unix seconds. ``state`` is starting, running, stopping, succeeded, failed or stopped.
"""

from __future__ import annotations

import time
from typing import Callable, List, Optional

from agent.processes import Identity, alive, marked
from agent.processes.system import of_earlier_boot
from agent.supervisor.folder import RunFolder, read_status
from agent.supervisor.leftovers import Living
from agent.supervisor.reserve import disk_full
from agent.wire.message import Message, message, to_data
from agent.wire.runs import RankProcess, RankStatus, RunStatus

#: States that a run does not leave.
FINAL = frozenset(["succeeded", "failed", "stopped"])
#: Seconds that a supervisor may take to start, all methods of detaching included.
START_LIMIT = 150.0

Status = RunStatus


def seen(folder: RunFolder, clock: Callable[[], float] = time.time) -> Optional[Status]:
    """Return the status as confirmed by the processes, None for an unknown run.

    A run that is active according to its file, but has no supervisor any more, is ``lost``: ``error`` is
    then why, and ranks without a process have ended at the last heartbeat, with a code that nobody knows.
    """
    status = read_status(folder)
    if status is None or status["state"] in FINAL:
        return status
    supervisor = Identity.from_json(status["supervisor"])
    coming = supervisor is None and clock() - status["at"] < START_LIMIT
    if coming or (supervisor is not None and alive(supervisor)):
        return status
    # It may have written its last word after we read.
    last = read_status(folder) or status
    if last["state"] in FINAL or last["supervisor"] != status["supervisor"]:
        return last
    ranks = [_checked(rank, last["at"]) for rank in last["ranks"]]
    return {**last, "state": "lost", "ranks": ranks, "error": to_data(_why_lost(folder, supervisor))}


def _checked(rank: RankStatus, at: float) -> RankStatus:
    identity = Identity.from_json(rank)
    if rank["exited_at"] is not None or (identity is not None and alive(identity)):
        return rank
    return {**rank, "exited_at": at}


def _why_lost(folder: RunFolder, supervisor: Optional[Identity]) -> Message:
    if supervisor is None:
        return message("status.never-started", "its supervisor did not start")
    if of_earlier_boot(supervisor):
        return message(
            "status.restarted", "the machine has restarted since (a power loss, a crash or an update)"
        )
    if disk_full(folder):
        return message(
            "status.lost-on-full-disk", "its supervisor has ended, and the disk of the run's folder is full"
        )
    return message("status.supervisor-killed", "its supervisor was killed")


def rank_processes(folder: RunFolder, status: Status) -> List[RankProcess]:
    """Return the living processes of a run's ranks: ``{"rank", "pid", "start_time", "name"}``."""
    return Living().of_run(folder, status)


def marked_processes(folder: RunFolder) -> List[RankProcess]:
    """Return the living processes that were started for the run, whatever its files say.

    A program can have moved or forged the files of its own run. Only Linux shows such processes.
    """
    found: List[RankProcess] = []
    for process, rank in marked(folder.own_mark):
        number = int(rank) if rank is not None and rank.isdecimal() and len(rank) < 7 else 0
        found.append({"rank": number, "name": process.name, **process.identity.as_json()})
    return found


def identities(status: Status) -> List[Identity]:
    """Return the first process of each rank, as recorded."""
    found = (Identity.from_json(rank) for rank in status["ranks"])
    return [identity for identity in found if identity is not None]
