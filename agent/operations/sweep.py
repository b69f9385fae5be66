"""``sweep``: finds processes that earlier runs left, and ends them on request.

Arguments: ``project``, ``node``, ``end`` (false lists only). The result is ``{"orphans", "ended", "left"}``,
lists of ``{"run", "rank", "pid", "start_time", "name"}``. A process is known by its recorded pid and start
time, or by standing in the session of a recorded one with the run's id in its environment; never by its pid
alone. Runs whose supervisor lives are not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

from agent.operations.run_arguments import project_of
from agent.operations.stop import end_run
from agent.supervisor.folder import RunFolder, run_folders
from agent.supervisor.status import FINAL, rank_processes, seen
from agent.wire.runs import Orphan, RankProcess, SweepArgs, SweepResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[SweepArgs, None, None]


def sweep(call: Request) -> SweepResult:
    """List the orphans of all runs of the project, and end them when asked to."""
    found: List[Orphan] = []
    ended: List[Orphan] = []
    left: List[Orphan] = []
    for folder, processes in _left_behind(project_of(call), call.args.get("node")):
        found += _of(folder, processes)
        if call.args.get("end"):
            outcome = end_run(folder, grace=0.0)
            ended += _of(folder, outcome["ended"])
            left += _of(folder, outcome["left"])
    return {"orphans": found, "ended": ended, "left": left}


def orphans(root: str, node: Optional[str]) -> List[Orphan]:
    """Return the processes that ended or lost runs of the project have left."""
    return [orphan for folder, processes in _left_behind(root, node) for orphan in _of(folder, processes)]


def _left_behind(root: str, node: Optional[str]) -> Iterator[Tuple[RunFolder, List[RankProcess]]]:
    for folder in run_folders(root, node):
        status = seen(folder)
        if status is None or (status["state"] not in FINAL and status["state"] != "lost"):
            continue
        processes = rank_processes(folder, status)
        if processes:
            yield folder, processes


def _of(folder: RunFolder, processes: List[RankProcess]) -> List[Orphan]:
    return [{"run": folder.run, **process} for process in processes]
