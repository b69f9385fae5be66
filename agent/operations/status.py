"""``status``: where runs are on this node.

Arguments: ``project``; ``run``, or all runs without it; ``watch``: stream the run's status as items, at once
and on each change, until it has ended. The result is ``{"runs": [...], "time"}`` with statuses as in
agent.supervisor.status, ``time`` being the node's clock; each item's body is ``{"status", "time"}``.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Optional, Tuple

from agent.operations.run_arguments import known_run, project_of
from agent.processes import Identity, alive
from agent.server import Cancelled
from agent.supervisor.folder import RunFolder, run_folders
from agent.supervisor.status import FINAL, Status, seen
from agent.wire.message import message, to_data
from agent.wire.runs import StatusArgs, StatusItem, StatusResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[StatusArgs, None, StatusItem]

_POLL_INTERVAL = 0.05
#: A supervisor that is gone changes no file.
_READ_EVERY = 0.5


def status(call: Request) -> StatusResult:
    """Answer the statuses of one run or of all, the newest last."""
    if call.args.get("run") is None:
        found = [seen(folder) for folder in run_folders(project_of(call), call.args.get("node"))]
        return {"runs": [one for one in found if one is not None], "time": time.time()}
    folder, now = known_run(call)
    if call.args.get("watch"):
        sent: Optional[Status] = None
        stamp, read_at = _stamp(folder), time.monotonic()
        while True:
            if sent is None or _differ(sent, now):
                call.send({"status": now, "time": time.time()})
                sent = now
            if now["state"] in FINAL or now["state"] == "lost":
                break
            if call.cancelled.wait(_POLL_INTERVAL):
                raise Cancelled
            # The ranks need the processor: reading and checking the file costs more than its time does.
            changed = _stamp(folder)
            if changed != stamp or time.monotonic() - read_at > _READ_EVERY:
                stamp, read_at = changed, time.monotonic()
                now = seen(folder) or (now if _supervised(now) else _removed(now))
    return {"runs": [now], "time": time.time()}


def _stamp(folder: RunFolder) -> Optional[Tuple[int, int, int]]:
    """Return what changes when the status is written, None without one."""
    try:
        found = os.stat(folder.status)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _supervised(status: Status) -> bool:
    """Return whether the run's supervisor lives; it puts back the files of the run."""
    supervisor = Identity.from_json(status["supervisor"])
    return supervisor is not None and alive(supervisor)


def _removed(status: Status) -> Status:
    error = message("status.removed", "the run's folder was removed")
    return {**status, "state": "lost", "error": to_data(error)}


def _differ(one: Status, other: Status) -> bool:
    return {**one, "at": 0} != {**other, "at": 0}  # `at` is the heartbeat
