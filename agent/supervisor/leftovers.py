"""The living processes of runs: by recorded pid and start time, by session, by mark in the environment."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Set, Tuple

from agent import private
from agent.paths import PathRejected, shown
from agent.processes import Identity, Process, snapshot
from agent.processes.system import variables
from agent.processes.tree import members_among
from agent.supervisor.descendants import recorded
from agent.supervisor.folder import RunFolder
from agent.wire.runs import RankProcess, RunStatus

_MARK, _RANK = "DTUI_STOP_FILE", "RANK"


class Living:
    """The processes of this machine at one moment."""

    def __init__(self) -> None:
        self._processes = snapshot()
        self._marked: Optional[Dict[str, List[Tuple[int, Process]]]] = None

    def of_run(self, folder: RunFolder, status: Optional[RunStatus]) -> List[RankProcess]:
        """Return the living processes of a run's ranks, and of all that they have started."""
        found: Dict[Identity, RankProcess] = {}

        def add(rank: int, process: Process) -> None:
            if process.identity.pid != os.getpid() and process.identity not in found:
                found[process.identity] = {
                    "rank": rank,
                    "name": process.name,
                    **process.identity.as_json(),
                }

        for rank in status["ranks"] if status is not None else []:
            identity = Identity.from_json(rank)
            if identity is not None:
                for process in members_among(identity, folder.mark, self._processes):
                    add(rank["rank"], process)
        earlier = {Identity.from_json(one): one["rank"] for one in recorded(folder)}
        for process in self._processes:
            if process.identity in earlier:
                add(earlier[process.identity], process)
        for number, process in self._by_mark().get(shown(folder.stop_file), []):
            add(number, process)
        return list(found.values())

    def forgotten(self, root: str, known: Set[str]) -> List[RunFolder]:
        """Return runs of the project whose folder was deleted, but which have processes.

        ``known`` are the folders' paths of the other runs.
        """
        runs = os.path.join(shown(root), private.OWN, "runs", "")
        found = []
        for path in self._by_mark():
            folder = os.path.dirname(path)
            if path.startswith(runs) and folder not in known:
                try:
                    found.append(RunFolder.at(folder))
                except PathRejected:
                    continue
        return found

    def _by_mark(self) -> Dict[str, List[Tuple[int, Process]]]:
        if self._marked is None:
            self._marked = {}
            for process in self._processes:
                values = variables(process.identity.pid, (_MARK, _RANK))
                if _MARK in values:
                    rank = values.get(_RANK, "")
                    number = int(rank) if rank.isdigit() and len(rank) < 9 else 0
                    self._marked.setdefault(values[_MARK], []).append((number, process))
        return self._marked
