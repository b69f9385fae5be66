"""Deploys the project to all nodes concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial

from fleet.data import data_of
from fleet.deploy.data_stage import DataSource
from fleet.deploy.node import NodeDeploy
from fleet.deploy.options import DeployOptions
from fleet.deploy.project import scan_project
from fleet.deploy.source import Source
from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.streams import merge


async def deploy(fleet: Fleet, nodes: Sequence[Node], options: DeployOptions) -> AsyncGenerator[Event, None]:
    """Yield what happens on each node, its last event a NodeDeployed; nothing is raised for a node's failure.

    Closing the iterator cancels the deploy: a node whose copy is not complete keeps its old tree.
    """
    async with aclosing(_on_all(fleet, nodes, options, NodeDeploy.deploy, with_data=True)) as events:
        async for event in events:
            yield event


async def preview(
    fleet: Fleet, nodes: Sequence[Node], options: DeployOptions | None = None
) -> AsyncGenerator[Event, None]:
    """Yield each difference between the project and the nodes, and a DeployPreview; nothing is written."""
    options = options or DeployOptions()
    async with aclosing(_on_all(fleet, nodes, options, NodeDeploy.preview, with_data=True)) as events:
        async for event in events:
            yield event


async def check_files(
    fleet: Fleet, nodes: Sequence[Node], *, force: bool = False
) -> AsyncGenerator[Event, None]:
    """Fail the compare stage of each node whose files are not the master's; ``force`` only warns."""
    check = partial(NodeDeploy.check, force=force)
    async with aclosing(_on_all(fleet, nodes, DeployOptions(), check)) as events:
        async for event in events:
            yield event


async def configure(
    fleet: Fleet, nodes: Sequence[Node], options: DeployOptions
) -> AsyncGenerator[Event, None]:
    """Run the setup commands that are due and write each node's own files.

    Project and environment are taken as an earlier deploy left them.
    """
    async with aclosing(_on_all(fleet, nodes, options, NodeDeploy.configure)) as events:
        async for event in events:
            yield event


async def _on_all(
    fleet: Fleet,
    nodes: Sequence[Node],
    options: DeployOptions,
    work: Callable[[NodeDeploy], AsyncGenerator[Event, None]],
    *,
    with_data: bool = False,
) -> AsyncGenerator[Event, None]:
    inventory = fleet.inventory
    root = options.root or inventory.project
    turns = asyncio.Semaphore(options.parallel)
    async with (
        Source(
            root,
            store=fleet.home / "digests.json",
            clock=fleet.clock,
            cache=options.cache,
            read=lambda changing: scan_project(inventory, root, changing=changing, measure=True),
            nodes=[node.name for node in nodes],
        ) as source,
        AsyncExitStack() as stack,
    ):
        found = await asyncio.to_thread(data_of, inventory) if with_data else None
        data = None
        if found is not None and found.sync != "no":
            data = await stack.enter_async_context(DataSource(fleet, found, found.sync, options, nodes))
        parts = (work(NodeDeploy(fleet, node, source, options, data)) for node in nodes)
        async with aclosing(merge(*(_in_turn(turns, part) for part in parts))) as all_:
            async for event in all_:
                yield event


async def _in_turn(
    turns: asyncio.Semaphore, work: AsyncGenerator[Event, None]
) -> AsyncGenerator[Event, None]:
    async with turns, aclosing(work) as events:
        async for event in events:
            yield event
