"""``sweep``: find processes that earlier runs left behind, and end them on request.

Arguments: ``project``, ``end`` (false lists only). The result is ``{"orphans", "ended", "left"}``, lists of
``{"run", "rank", "pid", "start_time", "name"}``. A process is known by its recorded pid and start time,
or by standing in the session of a recorded one with the run's id in its environment; never by its pid
alone. Runs whose supervisor lives are not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from agent.operations.run_arguments import project_of
from agent.operations.stop import end_run
from agent.supervisor.folder import run_folders
from agent.supervisor.status import FINAL, rank_processes, seen

if TYPE_CHECKING:
    from agent.server import Call


def sweep(call: Call) -> Dict[str, Any]:
    """List the orphans of all runs of the project, and end them when asked to."""
    orphans: List[Dict[str, Any]] = []
    ended: List[Dict[str, Any]] = []
    left: List[Dict[str, Any]] = []
    for folder in run_folders(project_of(call)):
        status = seen(folder)
        if status is None or (status["state"] not in FINAL and status["state"] != "lost"):
            continue
        found = rank_processes(folder, status)
        orphans += [{"run": folder.run, **process} for process in found]
        if found and call.args.get("end"):
            outcome = end_run(folder, grace=0.0)
            ended += [{"run": folder.run, **process} for process in outcome["ended"]]
            left += [{"run": folder.run, **process} for process in outcome["left"]]
    return {"orphans": orphans, "ended": ended, "left": left}
