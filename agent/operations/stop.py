"""``stop``: end this node's part of a run, and see that it has ended.

Arguments: ``project``, ``run``, ``grace``: seconds that the ranks get to save a checkpoint (0 ends them at
once; None is what the start has set). The result is ``{"status", "ended", "left"}``, the last two lists of
``{"rank", "pid", "start_time", "name"}``.
A second stop with less grace shortens the first.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, List, Optional

from agent.operations.run_arguments import folder_of, known_run
from agent.processes import Identity, alive, end
from agent.supervisor.folder import RunFolder, read, read_status, write, write_status
from agent.supervisor.reserve import lacks_space, release, write_last
from agent.supervisor.spec import DEFAULT_GRACE, SpecError, load
from agent.supervisor.status import FINAL, Status, identities, marked_processes, rank_processes, seen
from agent.wire.runs import RankStatus, RunStateName, StopArgs, StopResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[StopArgs, None, None]

_POLL_INTERVAL = 0.05
#: Seconds that a supervisor may take to end its ranks once their grace is over.
_SUPERVISOR_LIMIT = 15.0
#: Seconds in which a supervisor puts back the files of its run, which a program may have moved.
_PUT_BACK_LIMIT = 5.0


def stop(call: Request) -> StopResult:
    """Stop the run through its supervisor, or without it when it has ended or does not answer."""
    folder = folder_of(call)
    deadline = time.monotonic() + _PUT_BACK_LIMIT
    while seen(folder) is None:
        if not marked_processes(folder):
            known_run(call)  # raises, since nothing is left of such a run
        if time.monotonic() > deadline or call.cancelled.wait(_POLL_INTERVAL):
            break
    grace = call.args.get("grace")
    if grace is None:
        grace = _launched_grace(folder)
    return end_run(folder, grace, call.cancelled.is_set)


def _launched_grace(folder: RunFolder) -> float:
    try:
        return load(folder)["grace"]
    except SpecError:
        return DEFAULT_GRACE


def end_run(folder: RunFolder, grace: float, cancelled: Callable[[], bool] = lambda: False) -> StopResult:
    """End a run and return what ``stop`` does.

    When ``cancelled`` the supervisor continues, and the operation stops waiting.
    """
    status = seen(folder)
    if status is None:
        # Its supervisor may be about to start: it must find the request.
        _request(folder, grace)
        return _end_marked(folder, {"status": None, "ended": [], "left": []})
    before = rank_processes(folder, status)
    if status["state"] not in FINAL:
        status = _through_supervisor(folder, status, grace, cancelled)
    before += [process for process in rank_processes(folder, status) if process not in before]
    if not cancelled():
        status = _without_supervisor(folder, status)
    left = rank_processes(folder, status)
    outcome: StopResult = {
        "status": status,
        "ended": [one for one in before if one not in left],
        "left": left,
    }
    return outcome if cancelled() else _end_marked(folder, outcome)


def _end_marked(folder: RunFolder, outcome: StopResult) -> StopResult:
    """End what the run's files do not name: the program may have moved or forged them."""
    hidden = marked_processes(folder)
    if not hidden:
        return outcome
    end([root for one in hidden if (root := Identity.from_json(one)) is not None], mark=folder.mark)
    left = marked_processes(folder)
    known = outcome["ended"] + outcome["left"]
    return {
        "status": outcome["status"],
        "ended": outcome["ended"] + [one for one in hidden if one not in left and one not in known],
        "left": outcome["left"] + [one for one in left if one not in known],
    }


def _request(folder: RunFolder, grace: float) -> bool:
    """Ask the supervisor to stop; return False when the disk is full, or a program is in the way."""
    for last in (False, True):
        try:
            write(folder.stop_request, {"at": time.time(), "grace": grace})
        except OSError as error:
            if last or not lacks_space(error):
                return False
            release(folder)
        else:
            return True
    return False


def _through_supervisor(
    folder: RunFolder, status: Status, grace: float, cancelled: Callable[[], bool]
) -> Status:
    # One that is only coming up sees it, too, and starts nothing.
    if not _request(folder, grace):
        return status
    deadline = time.monotonic() + grace + _SUPERVISOR_LIMIT
    while time.monotonic() < deadline and not cancelled():
        status = seen(folder) or status
        if status["state"] in FINAL or status["state"] == "lost":
            break
        time.sleep(_POLL_INTERVAL)
    return status


def _without_supervisor(folder: RunFolder, status: Status) -> Status:
    """End the remaining processes of a run; usually its supervisor has left none."""
    if status["state"] in FINAL and not rank_processes(folder, status):
        return status
    supervisor = Identity.from_json(status["supervisor"]) or Identity.from_json(read(folder.claim))
    roots: List[Identity] = []
    if supervisor is not None and alive(supervisor) and status["state"] not in FINAL:
        end([supervisor], timeout=0.0)  # before its ranks, or it would take their ends for failures
        status = read_status(folder) or status
    if status["state"] not in FINAL:
        status = _mark_stopped(folder, status)
    roots += identities(status)
    roots += [Identity(one["pid"], one["start_time"]) for one in rank_processes(folder, status)]
    end(roots, mark=folder.mark)
    if status["state"] in FINAL:
        return status
    return _record(folder, status)


def _mark_stopped(folder: RunFolder, status: Status) -> Status:
    """Record which ranks this stop ends: whoever reads the status while they end must not see lost ones."""

    def marked(rank: RankStatus) -> RankStatus:
        identity = Identity.from_json(rank)
        living = rank["exited_at"] is None and identity is not None and alive(identity)
        return {**rank, "stopped": True} if living else rank

    written = read_status(folder)
    if written is not None:
        with suppress(OSError):  # they end all the same
            write_status(folder, {**written, "ranks": [marked(rank) for rank in written["ranks"]]})
    return {**status, "ranks": [marked(rank) for rank in status["ranks"]]}


def _record(folder: RunFolder, status: Status, now: Optional[float] = None) -> Status:
    """Write the status that the supervisor can't write any more."""
    at = time.time() if now is None else now
    # Of a lost run it is why, which counts no longer.
    error = (read_status(folder) or status)["error"]
    ranks: List[RankStatus] = []
    for rank in status["ranks"]:
        identity = Identity.from_json(rank)
        if rank["exited_at"] is None and (identity is None or not alive(identity)):
            rank = {**rank, "exited_at": at, "stopped": True}
        ranks.append(rank)
    failed = any(rank["exit_code"] != 0 and not rank["stopped"] for rank in ranks)
    state: RunStateName = "failed" if failed or error["text"] else "stopped"
    if any(rank["exited_at"] is None for rank in ranks):
        return {**status, "ranks": ranks}
    ended: Status = {**status, "ranks": ranks, "state": state, "error": error, "at": at}
    with suppress(OSError):  # the processes have ended all the same
        write_last(folder, ended)
    return ended
