"""The present state of runs, as their nodes report it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from agent.wire.operations import STATUS, SWEEP
from agent.wire.runs import Orphan, RunStatus, StatusArgs, SweepArgs, SweepResult
from fleet.errors import FleetError, OperationFailed
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.runs.asking import answer_or_error

#: Seconds for connecting to one node and for its answer.
TIMEOUT = 60.0


class NodeRuns(Struct, frozen=True):
    """A node's runs as agent.supervisor.status describes them, the oldest first; or the node's error."""

    node: str
    runs: tuple[RunStatus, ...] = ()
    error: FleetError | None = None


async def node_runs(
    fleet: Fleet, run: str | None = None, nodes: Sequence[Node] | None = None
) -> tuple[NodeRuns, ...]:
    """Ask all nodes concurrently for one run or for all; a node without the run has none."""
    return tuple(await asyncio.gather(*(_runs_on(fleet, node, run) for node in nodes or fleet.nodes)))


async def _runs_on(fleet: Fleet, node: Node, run: str | None) -> NodeRuns:
    async def ask() -> tuple[RunStatus, ...]:
        link = await fleet.link(node)
        return tuple(
            (await link.call(STATUS, StatusArgs(project=node.project, node=node.name, run=run)))["runs"]
        )

    runs = await answer_or_error(node, ask(), name="runs", timeout=TIMEOUT)
    if isinstance(runs, OperationFailed) and runs.code == "no-run":
        return NodeRuns(node.name)
    return NodeRuns(node.name, error=runs) if isinstance(runs, FleetError) else NodeRuns(node.name, runs)


class NodeSweep(Struct, frozen=True):
    """What a sweep found on a node: processes as ``{"run", "rank", "pid", "start_time", "name"}``."""

    node: str
    orphans: tuple[Orphan, ...] = ()
    ended: tuple[Orphan, ...] = ()
    left: tuple[Orphan, ...] = ()
    error: FleetError | None = None


async def sweep(
    fleet: Fleet, *, end: bool = False, nodes: Sequence[Node] | None = None
) -> tuple[NodeSweep, ...]:
    """Find processes that earlier runs left on the nodes, and with ``end`` end them."""
    return tuple(await asyncio.gather(*(_sweep_on(fleet, node, end) for node in nodes or fleet.nodes)))


async def _sweep_on(fleet: Fleet, node: Node, end: bool) -> NodeSweep:
    async def ask() -> SweepResult:
        link = await fleet.link(node)
        return await link.call(SWEEP, SweepArgs(project=node.project, node=node.name, end=end))

    answer = await answer_or_error(node, ask(), name="sweep", timeout=TIMEOUT)
    if isinstance(answer, FleetError):
        return NodeSweep(node.name, error=answer)
    return NodeSweep(node.name, tuple(answer["orphans"]), tuple(answer["ended"]), tuple(answer["left"]))
