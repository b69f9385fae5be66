"""Delete old runs: their folders on every node, then their record on the master.

Checkpoints and metrics that a training program wrote into the project are not touched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from agent.wire.message import EMPTY, Message, from_data, message
from agent.wire.operations import PRUNE
from agent.wire.reasons import reason_of
from agent.wire.runs import PruneArgs, PruneResult, RunOnNode
from fleet.errors import FleetError, InvalidAnswer
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.runs.asking import answer_or_error
from fleet.runs.messages import left_inventory
from fleet.runs.record.lock import lock_record
from fleet.runs.store import RunStore, RunSummary

#: Seconds for one node's answer: deleting many large logs from a slow disk takes its time.
TIMEOUT = 330.0
_AGAIN = message("prune.again.remedy", "run the command again")


class NodeSpace(Struct, frozen=True, kw_only=True):
    """What a node has of some runs, or the node's error."""

    node: str
    runs: tuple[RunOnNode, ...] = ()
    error: FleetError | None = None

    @property
    def size(self) -> int:
        """Bytes that are, or were, deleted on this node."""
        return sum(run["bytes"] for run in self.runs if run["state"] in ("idle", "removed", "failed"))


class KeptRun(Struct, frozen=True, kw_only=True):
    """A run that was not deleted everywhere: on which node, the reason, and the remedy."""

    run: str
    node: str
    reason: Message
    remedy: Message = EMPTY


class Survey(Struct, frozen=True, kw_only=True):
    """What a deletion would do: runs that can be deleted, and those that cannot."""

    runs: tuple[RunSummary, ...]
    nodes: tuple[NodeSpace, ...]
    refused: tuple[KeptRun, ...] = ()


class Pruned(Struct, frozen=True, kw_only=True):
    """What a deletion did; ``nodes`` has what was deleted on each, ``master`` bytes of records."""

    nodes: tuple[NodeSpace, ...] = ()
    master: int = 0
    removed: tuple[str, ...] = ()
    kept: tuple[KeptRun, ...] = ()


async def survey(fleet: Fleet, runs: Sequence[RunSummary], *, timeout: float = TIMEOUT) -> Survey:
    """Ask the nodes of ``runs`` what they have of them, and whether any has not ended; changes nothing."""
    nodes = await _ask(fleet, _on_nodes(fleet, runs), delete=False, timeout=timeout)
    refused = {
        each["run"]: KeptRun(
            run=each["run"],
            node=space.node,
            reason=from_data(each["reason"]),
            remedy=_stop_first(each["run"]),
        )
        for space in nodes
        for each in space.runs
        if each["state"] == "active"
    }
    for summary in runs:
        if summary.run not in refused and _is_recorded_now(fleet.home, summary.run):
            refused[summary.run] = KeptRun(
                run=summary.run,
                node="",
                reason=message("prune.recording", "another dtui on this machine is recording it"),
                remedy=message("prune.recording.remedy", "close the console that shows this run"),
            )
    return Survey(
        runs=tuple(summary for summary in runs if summary.run not in refused),
        nodes=nodes,
        refused=tuple(refused.values()),
    )


async def prune(fleet: Fleet, runs: Sequence[RunSummary], *, timeout: float = TIMEOUT) -> Pruned:
    """Delete ``runs`` on their nodes, then the records of those that are gone from all their nodes.

    A node that fails does not stop the others. A run keeps its record while any node may still have its
    folder, so that it can be named again.
    """
    wanted = _on_nodes(fleet, runs)
    # The folder on the master is also the record, and is deleted last.
    own = {node: ids for node, ids in wanted.items() if _is_home(fleet, node)}
    others = {node: ids for node, ids in wanted.items() if node not in own}
    nodes = list(await _ask(fleet, others, delete=True, timeout=timeout))
    kept = [*_missing(fleet, runs), *_kept(nodes, wanted)]
    held = {each.run for each in kept}
    rest = {node: [run for run in ids if run not in held] for node, ids in own.items()}
    last = await _ask(fleet, rest, delete=True, timeout=timeout)
    nodes += last
    kept += _kept(last, rest)
    held = {each.run for each in kept}
    master, removed = 0, []
    for summary in runs:
        if summary.run in held:
            continue
        try:
            master += await asyncio.to_thread(_remove_record, fleet.home, summary.run)
        except (FleetError, OSError) as error:
            reason = error.what if isinstance(error, FleetError) else reason_of(error)
            kept.append(KeptRun(run=summary.run, node="", reason=reason, remedy=_AGAIN))
        else:
            removed.append(summary.run)
    return Pruned(nodes=tuple(nodes), master=master, removed=tuple(removed), kept=tuple(kept))


def record_size(home: Path, run: str) -> int:
    """Return the bytes of a run's folder on the master, following no link."""
    return sum(
        os.lstat(Path(folder) / name).st_size
        for folder, _, names in os.walk(RunStore(home, run).folder)
        for name in names
    )


async def _ask(
    fleet: Fleet, wanted: Mapping[str, Sequence[str]], *, delete: bool, timeout: float
) -> tuple[NodeSpace, ...]:
    asked = [(fleet.inventory.node(name), ids) for name, ids in wanted.items() if ids]
    return tuple(await asyncio.gather(*(_ask_one(fleet, node, ids, delete, timeout) for node, ids in asked)))


async def _ask_one(fleet: Fleet, node: Node, runs: Sequence[str], delete: bool, timeout: float) -> NodeSpace:
    async def ask() -> tuple[RunOnNode, ...]:
        link = await fleet.link(node)
        args = PruneArgs(project=node.project, node=node.name, runs=list(runs), delete=delete)
        return _checked(await link.call(PRUNE, args), runs, node.name)

    found = await answer_or_error(node, ask(), name="prune", timeout=timeout, remedy=_AGAIN)
    if isinstance(found, FleetError):
        return NodeSpace(node=node.name, error=found)
    return NodeSpace(node=node.name, runs=found)


def _checked(answer: PruneResult, runs: Sequence[str], node: str) -> tuple[RunOnNode, ...]:
    """Return the answer, which has to be about exactly the runs asked for; raises InvalidAnswer."""
    found = answer["runs"]
    if [each["run"] for each in found] != list(runs):
        reason = message("answer.other-runs", "it lists other runs than those requested")
        raise InvalidAnswer("prune", reason, node=node)
    if any(each["bytes"] < 0 for each in found):
        raise InvalidAnswer("prune", message("answer.negative-size", "a negative size"), node=node)
    return tuple(found)


def _on_nodes(fleet: Fleet, runs: Sequence[RunSummary]) -> dict[str, list[str]]:
    """Return node -> runs that it took part in; nodes that left the inventory are not among them."""
    known = {node.name for node in fleet.nodes}
    found: dict[str, list[str]] = {}
    for summary in runs:
        for part in summary.plan.nodes:
            if part.node in known:
                found.setdefault(part.node, []).append(summary.run)
    return found


def _missing(fleet: Fleet, runs: Sequence[RunSummary]) -> list[KeptRun]:
    known = {node.name for node in fleet.nodes}
    return [
        KeptRun(
            run=summary.run,
            node=part.node,
            reason=left_inventory(),
            remedy=message(
                "prune.left-inventory.remedy",
                "add {node} to the inventory again, or delete .dtui/runs/{run} on {node} and on this machine",
                node=part.node,
                run=summary.run,
            ),
        )
        for summary in runs
        for part in summary.plan.nodes
        if part.node not in known
    ]


def _kept(nodes: Sequence[NodeSpace], wanted: Mapping[str, Sequence[str]]) -> list[KeptRun]:
    found = []
    for space in nodes:
        if space.error is not None:
            what = space.error.what
            remedy: Message = space.error.remedy or _AGAIN
            found += [
                KeptRun(run=run, node=space.node, reason=what, remedy=remedy) for run in wanted[space.node]
            ]
        for each in space.runs:
            if each["state"] not in ("removed", "absent"):
                remedy = _stop_first(each["run"]) if each["state"] == "active" else _AGAIN
                reason = from_data(each["reason"])
                found.append(KeptRun(run=each["run"], node=space.node, reason=reason, remedy=remedy))
    return found


def _stop_first(run: str) -> Message:
    return message("prune.active.remedy", "stop the run first: `dtui stop {run}`", run=run)


def _is_home(fleet: Fleet, name: str) -> bool:
    """Return whether the node's folder of a run is that of its record on this machine."""
    node = fleet.inventory.node(name)
    project = Path(os.path.expanduser(node.project))  # noqa: PTH111 -- Path's own raises for an unknown user
    return node.kind.is_local and project == fleet.home.parent


def _is_recorded_now(home: Path, run: str) -> bool:
    folder = RunStore(home, run).folder
    if not (folder / "recorder.lock").exists():
        return False
    lock = lock_record(folder / "recorder.lock")
    if lock is None:
        return True
    lock.close()
    return False


def _remove_record(home: Path, run: str) -> int:
    """Delete the folder of a run on the master and return its size; raises FleetError and OSError."""
    folder = RunStore(home, run).folder
    runs = (home / "runs").absolute()
    if folder.absolute().parent != runs or run in ("", ".", ".."):
        raise FleetError(message("prune.not-an-id", "{run!r} is not the id of a run", run=run))
    if any(place.is_symlink() for place in (home, runs, folder)):
        raise FleetError(
            message(
                "prune.record-link",
                "{folder} is a link to another place, and dtui deletes nothing through links",
                folder=str(folder),
            )
        )
    if not folder.exists():
        return 0
    size = record_size(home, run)
    shutil.rmtree(folder)
    return size
