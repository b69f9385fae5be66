"""Look at all nodes at once and tell each result as soon as it is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from fleet.deploy.scan import Scan, scan
from fleet.errors import FleetError
from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.preflight.board import Board
from fleet.preflight.catalog import checks_for, ports_for, select
from fleet.preflight.check import Absent, Situation, Subject
from fleet.preflight.judges.environment import plan_of
from fleet.preflight.observers import contents
from fleet.preflight.observers.connection import Findings, observe_facts, observe_link
from fleet.preflight.observers.mesh import Mesh
from fleet.preflight.observers.outside import observe_outside
from fleet.preflight.options import PreflightOptions
from fleet.preflight.pairs import peer_address
from fleet.preflight.ways import told_of_links, told_of_ports

#: Observations of the ways between nodes.
_WAYS = {"mesh", "links"}
_LOOK_SECONDS = 30.0
_TRIAL_SECONDS = 120.0
_OUTSIDE_AT_ONCE = 32


async def preflight(
    fleet: Fleet, nodes: Sequence[Node], options: PreflightOptions | None = None
) -> AsyncGenerator[Event, None]:
    """Yield CheckFinished for each check and node, besides LinkChanged, NodeProbed and PairProbed.

    Every cell gets a result. Raises NoSuchCheck.
    """
    looking = _Looking(fleet, nodes, options or PreflightOptions())
    task = asyncio.create_task(looking.run(), name="preflight")
    try:
        while (event := await looking.events.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Looking:
    def __init__(self, fleet: Fleet, nodes: Sequence[Node], options: PreflightOptions) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._fleet = fleet
        self._options = options
        inventory = fleet.inventory
        checks = select(checks_for(inventory.run.port), options.checks)
        self._needs = {need for check in checks for need in check.needs}
        among = {node.name for node in (options.among or nodes)} | {node.name for node in nodes}
        # Some checks are about the node alone: then the others need not be asked.
        taking_part = tuple(node for node in inventory.nodes if node.name in among)
        alone = all(check.scope == "node" for check in checks)
        everybody = tuple(nodes) if alone else taking_part
        self._situation = Situation(inventory, taking_part, ports_for(inventory.run.port), cpu=options.cpu)
        self._nodes = everybody
        self._board = Board(self._situation, checks, rows=nodes, clock=fleet.clock)
        self._scan: asyncio.Task[Scan] | None = None
        self._folder = contents.data_folder(inventory) if self._needs & {"data", "code"} else ""
        self._turn = asyncio.Semaphore(_OUTSIDE_AT_ONCE)

    async def run(self) -> None:
        """Make every observation that some check needs; puts None behind the last event."""
        try:
            await asyncio.gather(*(self._outside(node) for node in self._nodes), self._inside())
            self._tell(self._board.settle("nobody could look"))
        finally:
            if self._scan is not None:
                self._scan.cancel()
            self.events.put_nowait(None)

    async def _outside(self, node: Node) -> None:
        # One agent, the master's, looks at all nodes: it takes so many requests at once and no more.
        async with self._turn:
            await self._look(node, "outside", lambda: observe_outside(self._fleet, node))

    async def _inside(self) -> None:
        """Ask the nodes; nothing waits for what it does not need, since each may take its time."""
        async with Mesh(self._fleet) as mesh, asyncio.TaskGroup() as group:
            connecting = {node.name: group.create_task(self._connect(node)) for node in self._nodes}

            def each(step: Callable[[Node], Awaitable[None]]) -> list[asyncio.Task[None]]:
                async def one(node: Node) -> None:
                    if await connecting[node.name]:
                        await step(node)

                return [group.create_task(one(node)) for node in self._nodes]

            if self._needs & _WAYS:
                # Listeners of one node would be in the way of the trial bind of another on its machine.
                opened = [*each(mesh.open), *each(self._ports)]
                group.create_task(_after(opened, lambda: self._ways(mesh)))
            probed = each(self._facts)
            each(self._conditions)
            each(self._data)
            each(self._code)
            if "config" in self._needs:
                group.create_task(self._config())
            if "trial" in self._needs:
                group.create_task(_after(probed, self._trials))

    async def _connect(self, node: Node) -> bool:
        await self._find(node, observe_link(self._fleet, node))
        if self._board.seen[node.name]["link"]["state"] == "up":
            return True
        for name in self._needs - {"link", "outside", "config"}:
            self._put(node, name, Absent("no connection"))
        return False

    async def _facts(self, node: Node) -> None:
        await self._find(node, observe_facts(self._fleet, node))

    async def _find(self, node: Node, findings: Findings) -> None:
        async for found in findings:
            if isinstance(found, tuple):
                self._put(node, *found)
            elif self._options.announce:
                self.events.put_nowait(found)

    # ---- one node by itself

    async def _ports(self, node: Node) -> None:
        address, ports = self._address(node), list(self._situation.ports)
        await self._look(node, "ports", lambda: self._ask(node, "portcheck", address=address, ports=ports))

    async def _conditions(self, node: Node) -> None:
        async def observe() -> Any:
            found = await self._ask(node, "conditions")
            # The disk is judged by what a deploy would bring, so that must be known by then.
            size = (await self._scanned()).size
            self._situation = replace(self._situation, deploy_bytes=size)
            self._board.situation = self._situation
            return found

        await self._look(node, "conditions", observe)

    async def _data(self, node: Node) -> None:
        budget = self._options.data_budget
        await self._look(
            node,
            "data",
            lambda: contents.observe_data(self._fleet, node, self._folder, budget),
            _TRIAL_SECONDS,
        )

    async def _code(self, node: Node) -> None:
        async def observe() -> Any:
            paths = contents.code_paths(await self._scanned(), self._folder)
            return await contents.observe_code(self._fleet, node, paths)

        await self._look(node, "code", observe)

    async def _scanned(self) -> Scan:
        if self._scan is None:
            self._scan = asyncio.create_task(asyncio.to_thread(scan, self._fleet.inventory.project))
        return await asyncio.shield(self._scan)

    async def _ask(self, node: Node, operation: str, **args: Any) -> Any:
        link = await self._fleet.link(node)
        return await link.call(operation, **{"project": node.project, **args})

    def _address(self, node: Node) -> str:
        source = self._board.seen[node.name]["link"].get("source")
        first = node.name == self._situation.nodes[0].name
        return peer_address(node, source, self._fleet.inventory.master.address, first=first)

    # ---- all nodes together

    async def _ways(self, mesh: Mesh) -> None:
        seen = self._board.seen
        nodes = [node for node in self._nodes if seen[node.name]["link"]["state"] == "up"]
        await mesh.probe({node.name: self._address(node) for node in nodes}, self._situation.ports)
        for node in nodes:
            self._put(node, "mesh", mesh.observation(node.name))
        self._tell(told_of_ports(seen, nodes, self._fleet.clock))
        if "links" in self._needs:
            links = await mesh.measure(self._options.measure_bytes, self._options.measure_seconds)
            for node in nodes:
                found = links.get(node.name) or {}
                self._put(node, "links", found or Absent("no way was measured"))
                self._tell(told_of_links(node, found, self._fleet.clock))
        await mesh.close()  # others may look on for a while, and nobody needs a listener any more

    async def _config(self) -> None:
        found = await contents.observe_config(self._fleet)
        for node in self._nodes:
            self._put(node, "config", found)

    async def _trials(self) -> None:
        found = plan_of(Subject(self._situation.nodes[0], self._situation, self._board.seen))
        plan = found if isinstance(found, RunPlan) else None
        await asyncio.gather(
            *(
                self._look(
                    node, "trial", partial(contents.observe_trial, self._fleet, node, plan), _TRIAL_SECONDS
                )
                for node in self._nodes
                if isinstance(self._board.seen[node.name]["facts"], dict)
            )
        )

    # ---- one observation

    async def _look(
        self,
        node: Node,
        name: str,
        observe: Callable[[], Awaitable[Any]],
        seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Make an observation within its time, or put its absence in its place."""
        if name not in self._needs:
            return
        try:
            async with asyncio.timeout(seconds):
                found = await observe()
            self._put(node, name, found)
        except TimeoutError:
            self._put(node, name, Absent(f"the node did not answer within {seconds:.0f} s"))
        except FleetError as error:
            self._put(node, name, Absent(error.what))

    def _put(self, node: Node, name: str, value: Any) -> None:
        if name in self._needs or name in ("link", "facts", "mesh"):
            self._tell(self._board.put(node.name, name, value))

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.put_nowait(event)


async def _after(tasks: Sequence[asyncio.Task[None]], step: Callable[[], Awaitable[None]]) -> None:
    await asyncio.wait(tasks)
    await step()
