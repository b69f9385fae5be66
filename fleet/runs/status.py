"""What the nodes know of runs, asked now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fleet.errors import FleetError, OperationFailed
from fleet.fleet import Fleet
from fleet.frozen import frozen
from fleet.inventory import Node


@frozen
class NodeRuns:
    """A node's runs as agent.supervisor.status describes them, the oldest first; or why it can't say."""

    node: str
    runs: tuple[dict[str, Any], ...] = ()
    error: FleetError | None = None


async def node_runs(
    fleet: Fleet, run: str | None = None, nodes: Sequence[Node] | None = None
) -> tuple[NodeRuns, ...]:
    """Ask all nodes at once for one run or for all; a node that does not know the run has none."""
    return tuple(await asyncio.gather(*(_runs_on(fleet, node, run) for node in nodes or fleet.nodes)))


async def _runs_on(fleet: Fleet, node: Node, run: str | None) -> NodeRuns:
    try:
        link = await fleet.link(node)
        answer = await link.call("status", project=node.project, run=run)
    except OperationFailed as error:
        return NodeRuns(node.name, error=None if error.code == "no-run" else error)
    except FleetError as error:
        return NodeRuns(node.name, error=error)
    return NodeRuns(node.name, tuple(answer["runs"]))


@frozen
class NodeSweep:
    """What a sweep found on a node: processes as ``{"run", "rank", "pid", "start_time", "name"}``."""

    node: str
    orphans: tuple[dict[str, Any], ...] = ()
    ended: tuple[dict[str, Any], ...] = ()
    left: tuple[dict[str, Any], ...] = ()
    error: FleetError | None = None


async def sweep(
    fleet: Fleet, *, end: bool = False, nodes: Sequence[Node] | None = None
) -> tuple[NodeSweep, ...]:
    """Look on all nodes for processes that earlier runs left, and ``end`` them if asked to."""
    return tuple(await asyncio.gather(*(_sweep_on(fleet, node, end) for node in nodes or fleet.nodes)))


async def _sweep_on(fleet: Fleet, node: Node, end: bool) -> NodeSweep:
    try:
        link = await fleet.link(node)
        answer = await link.call("sweep", project=node.project, end=end)
    except FleetError as error:
        return NodeSweep(node.name, error=error)
    orphans, ended, left = (tuple(answer[key]) for key in ("orphans", "ended", "left"))
    return NodeSweep(node.name, orphans, ended, left)
