"""``stop``: end this node's part of a run, and see that it has ended.

Arguments: ``project``, ``run``, ``grace``: seconds that the ranks get to save a checkpoint (0 ends them at
once; None is what the start said). The result is ``{"status", "ended", "left"}``, the last two lists of
``{"rank", "pid", "start_time", "name"}``.
A second stop with less grace shortens the first.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from agent.operations.run_arguments import known_run
from agent.processes import Identity, alive, end
from agent.supervisor.folder import RunFolder, read, read_status, write
from agent.supervisor.status import FINAL, Status, identities, rank_processes, seen

if TYPE_CHECKING:
    from agent.server import Call

_LOOK_EVERY = 0.05
#: Seconds that a supervisor may take to end its ranks once their grace is over.
_SUPERVISOR_LIMIT = 15.0


def stop(call: Call) -> Dict[str, Any]:
    """Stop the run through its supervisor, or without it when it is gone or does not answer."""
    folder, _ = known_run(call)
    grace = call.args.get("grace")
    if grace is None:
        grace = (read(folder.spec) or {}).get("grace", 30.0)
    return end_run(folder, float(grace), call.cancelled.is_set)


def end_run(folder: RunFolder, grace: float, cancelled: Callable[[], bool] = lambda: False) -> Dict[str, Any]:
    """End a run and return what ``stop`` does.

    When ``cancelled`` the supervisor goes on with it and nobody waits.
    """
    status = seen(folder) or {}
    before = rank_processes(folder, status)
    if status.get("state") not in FINAL:
        status = _through_supervisor(folder, status, grace, cancelled)
    before += [process for process in rank_processes(folder, status) if process not in before]
    if not cancelled():
        status = _without_supervisor(folder, status)
    left = rank_processes(folder, status)
    return {"status": status, "ended": [one for one in before if one not in left], "left": left}


def _through_supervisor(
    folder: RunFolder, status: Status, grace: float, cancelled: Callable[[], bool]
) -> Status:
    # One that is only coming up sees it, too, and starts nothing.
    write(folder.stop_request, {"at": time.time(), "grace": grace})
    deadline = time.monotonic() + grace + _SUPERVISOR_LIMIT
    while time.monotonic() < deadline and not cancelled():
        status = seen(folder) or status
        if status["state"] in FINAL or status["state"] == "lost":
            break
        time.sleep(_LOOK_EVERY)
    return status


def _without_supervisor(folder: RunFolder, status: Status) -> Status:
    """End whatever a run still has: nothing, when its supervisor has done its work."""
    if status.get("state") in FINAL and not rank_processes(folder, status):
        return status
    supervisor = Identity.from_json(status.get("supervisor")) or Identity.from_json(read(folder.claim))
    roots: List[Identity] = []
    if supervisor is not None and alive(supervisor) and status.get("state") not in FINAL:
        end([supervisor], patience=0.0)  # before its ranks, or it would take their ends for failures
        status = read_status(folder) or status
    roots += identities(status)
    end(roots, mark=folder.mark)
    if status.get("state") in FINAL:
        return status
    return _record(folder, status)


def _record(folder: RunFolder, status: Status, now: Optional[float] = None) -> Status:
    """Write the status that the supervisor can't write any more."""
    at = time.time() if now is None else now
    ranks = []
    for rank in status.get("ranks", []):
        identity = Identity.from_json(rank)
        if rank["exited_at"] is None and (identity is None or not alive(identity)):
            rank = {**rank, "exited_at": at, "stopped": True}
        ranks.append(rank)
    failed = any(rank["exit_code"] not in (0, None) and not rank["stopped"] for rank in ranks)
    state = "failed" if failed or status.get("error") else "stopped"
    if any(rank["exited_at"] is None for rank in ranks):
        return {**status, "ranks": ranks}
    ended = {**status, "ranks": ranks, "state": state, "at": at}
    write(folder.status, ended)
    return ended
