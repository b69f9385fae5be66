"""Put the project on all nodes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fleet.deploy.node import NodeDeploy
from fleet.deploy.options import DeployOptions
from fleet.deploy.source import Source
from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.streams import merge


async def deploy(fleet: Fleet, nodes: Sequence[Node], options: DeployOptions) -> AsyncGenerator[Event, None]:
    """Yield what happens on each node, its last event a NodeDeployed; nothing is raised for a node's failure.

    Closing the iterator cancels what is under way: a node whose copy is not complete keeps its old tree.
    """
    root = options.root or fleet.inventory.project
    turns = asyncio.Semaphore(options.parallel)
    async with (
        Source(root, store=fleet.home / "digests.json", clock=fleet.clock, cache=options.cache) as source,
        aclosing(merge(*(_in_turn(turns, fleet, node, source, options) for node in nodes))) as all_,
    ):
        async for event in all_:
            yield event


async def _in_turn(
    turns: asyncio.Semaphore, fleet: Fleet, node: Node, source: Source, options: DeployOptions
) -> AsyncGenerator[Event, None]:
    async with turns, aclosing(NodeDeploy(fleet, node, source, options).events()) as events:
        async for event in events:
            yield event
