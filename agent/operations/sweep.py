"""``sweep``: finds processes that earlier runs left, and ends them on request.

Arguments: ``project``, ``node``, ``end`` (false lists only). The result is ``{"orphans", "ended", "left"}``,
lists of ``{"run", "rank", "pid", "start_time", "name"}``. A process is known by its recorded pid and start
time, by standing in the session of a recorded one with the run's id in its environment, or by the run's stop
file in its environment (which also finds processes of runs whose folder was deleted); never by its pid alone.
Runs whose supervisor lives are not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

from agent.operations.run_arguments import project_of
from agent.operations.stop import end_run
from agent.paths import shown
from agent.processes import Identity, alive, end
from agent.supervisor.folder import RunFolder, run_folders
from agent.supervisor.leftovers import Living
from agent.supervisor.status import FINAL, seen
from agent.wire.runs import Orphan, RankProcess, SweepArgs, SweepResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[SweepArgs, None, None]


def sweep(call: Request) -> SweepResult:
    """List the orphans of all runs of the project, and end them when asked to."""
    found: List[Orphan] = []
    ended: List[Orphan] = []
    left: List[Orphan] = []
    for folder, known, processes in _left_behind(project_of(call), call.args.get("node")):
        found += _of(folder, processes)
        if call.args.get("end"):
            if known:
                end_run(folder, grace=0.0)
            else:
                end([Identity(one["pid"], one["start_time"]) for one in processes])
            remaining = [one for one in processes if alive(Identity(one["pid"], one["start_time"]))]
            ended += _of(folder, [one for one in processes if one not in remaining])
            left += _of(folder, remaining)
    return {"orphans": found, "ended": ended, "left": left}


def orphans(root: str, node: Optional[str]) -> List[Orphan]:
    """Return the processes that ended or lost runs of the project have left."""
    return [orphan for folder, _, processes in _left_behind(root, node) for orphan in _of(folder, processes)]


def _left_behind(root: str, node: Optional[str]) -> Iterator[Tuple[RunFolder, bool, List[RankProcess]]]:
    """Yield each run that left processes, and whether its folder is there."""
    living = Living()
    for folder in run_folders(root, node):
        status = seen(folder)
        if status is None or (status["state"] not in FINAL and status["state"] != "lost"):
            continue
        processes = living.of_run(folder, status)
        if processes:
            yield folder, True, processes
    # Nodes may share the folder, so those of the others are known too.
    known = {shown(folder.path) for folder in run_folders(root)}
    for folder in living.forgotten(root, known):
        yield folder, False, living.of_run(folder, None)


def _of(folder: RunFolder, processes: List[RankProcess]) -> List[Orphan]:
    return [{"run": folder.run, **process} for process in processes]
