"""Look at all nodes at once and tell each result as soon as it is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fleet.deploy.scan import Scan, scan
from fleet.errors import FleetError
from fleet.events import Event, Notice, PairProbed
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.preflight.board import Board
from fleet.preflight.catalog import checks_for, ports_for, select
from fleet.preflight.check import Absent, Situation, Subject
from fleet.preflight.judges.environment import plan_of
from fleet.preflight.observers import contents
from fleet.preflight.observers.connection import observe_connection
from fleet.preflight.observers.mesh import Mesh
from fleet.preflight.observers.outside import observe_outside
from fleet.preflight.options import PreflightOptions
from fleet.preflight.pairs import broken_ways, peer_address, sentences

#: Most sentences about broken ways; the matrix has them all.
_MOST_SENTENCES = 20
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
        self._turn = asyncio.Semaphore(_OUTSIDE_AT_ONCE)

    async def run(self) -> None:
        """Make every observation that some check needs; puts None behind the last event."""
        try:
            if self._needs & {"conditions", "code"}:
                self._scan = asyncio.create_task(asyncio.to_thread(scan, self._fleet.inventory.project))
            outside = [self._look(node, "outside", self._outside) for node in self._nodes]
            await asyncio.gather(*outside, self._inside())
            self._tell(self._board.settle("nobody could look"))
        finally:
            if self._scan is not None:
                self._scan.cancel()
            self.events.put_nowait(None)

    async def _outside(self, fleet: Fleet, node: Node) -> dict[str, Any]:
        # One agent, the master's, looks at all nodes: it takes so many requests at once and no more.
        async with self._turn:
            return await observe_outside(fleet, node)

    async def _inside(self) -> None:
        await asyncio.gather(*(self._node(node) for node in self._nodes))
        await asyncio.gather(self._ways(), self._contents())

    async def _node(self, node: Node) -> None:
        async for found in observe_connection(self._fleet, node):
            if isinstance(found, tuple):
                self._put(node, *found)
            elif self._options.announce:
                self.events.put_nowait(found)
        if self._board.seen[node.name]["link"]["state"] != "up":
            for name in self._needs - {"link", "outside"}:
                self._put(node, name, Absent("no connection"))
            return
        address = self._address(node)
        await asyncio.gather(
            self._look(node, "conditions", self._conditions),
            self._look(
                node,
                "ports",
                lambda fleet, node: self._ask(
                    node, "portcheck", address=address, ports=list(self._situation.ports)
                ),
            ),
        )

    async def _conditions(self, fleet: Fleet, node: Node) -> Any:
        found = await self._ask(node, "conditions")
        # The disk is judged by what a deploy would bring, so that must be known by then.
        assert self._scan is not None
        size = (await asyncio.shield(self._scan)).size
        self._situation = replace(self._situation, deploy_bytes=size)
        self._board.situation = self._situation
        return found

    async def _ask(self, node: Node, operation: str, **args: Any) -> Any:
        link = await self._fleet.link(node)
        return await link.call(operation, **{"project": node.project, **args})

    def _address(self, node: Node) -> str:
        facts = self._board.seen[node.name].get("facts") or {}
        first = node.name == self._situation.nodes[0].name
        return peer_address(node, facts, self._fleet.inventory.master.address, first=first)

    @property
    def _reached(self) -> list[Node]:
        return [node for node in self._nodes if isinstance(self._board.seen[node.name].get("facts"), dict)]

    # ---- ways between nodes

    async def _ways(self) -> None:
        if not self._needs & {"mesh", "links"}:
            return
        nodes = self._reached
        addresses = {node.name: self._address(node) for node in nodes}
        async with Mesh(self._fleet, nodes, addresses) as mesh:
            await mesh.probe(self._situation.ports)
            for node in nodes:
                self._put(node, "mesh", mesh.observation(node.name))
            self._tell_pairs()
            if "links" in self._needs:
                links = await mesh.measure(self._options.measure_bytes, self._options.measure_seconds)
                for node in nodes:
                    self._put(node, "links", links.get(node.name) or Absent("no way was measured"))
                    self._tell_links(node, links.get(node.name) or {})

    def _tell_pairs(self) -> None:
        for node in self._reached:
            mesh = self._board.seen[node.name]["mesh"]
            for peer, ports in {} if isinstance(mesh, Absent) else mesh["reaches"].items():
                outcomes = {column: result["outcome"] for column, result in ports.items()}
                self.events.put_nowait(
                    PairProbed(node=node.name, at=self._fleet.clock(), peer=peer, ports=outcomes)
                )
        told = sentences(broken_ways(self._board.seen, self._reached))
        for text in told[:_MOST_SENTENCES]:
            self._notice(text)
        if len(told) > _MOST_SENTENCES:
            self._notice(f"and {len(told) - _MOST_SENTENCES} more ways are closed; see the ports' columns")

    def _tell_links(self, node: Node, links: dict[str, Any]) -> None:
        for peer, way in links.items():
            self.events.put_nowait(
                PairProbed(
                    node=node.name,
                    at=self._fleet.clock(),
                    peer=peer,
                    latency_ms=way["rtt"],
                    bytes_per_second=way["rate"],
                )
            )

    def _notice(self, text: str) -> None:
        self.events.put_nowait(Notice(at=self._fleet.clock(), level="warning", text=text))

    # ---- what was deployed

    async def _contents(self) -> None:
        options, inventory, nodes = self._options, self._fleet.inventory, self._reached
        looks: list[Awaitable[None]] = []
        folder = contents.data_folder(inventory) if self._needs & {"data", "code"} else ""
        if "data" in self._needs:
            looks += [
                self._look(
                    node,
                    "data",
                    lambda fleet, node: contents.observe_data(fleet, node, folder, options.data_budget),
                    _TRIAL_SECONDS,
                )
                for node in nodes
            ]
        if "code" in self._needs and self._scan is not None:
            paths = contents.code_paths(await asyncio.shield(self._scan), folder)
            looks += [
                self._look(node, "code", lambda fleet, node: contents.observe_code(fleet, node, paths))
                for node in nodes
            ]
        if "config" in self._needs:
            looks.append(self._config())
        if "trial" in self._needs:
            plan = self._plan()
            looks += [
                self._look(
                    node,
                    "trial",
                    lambda fleet, node: contents.observe_trial(fleet, node, plan),
                    _TRIAL_SECONDS,
                )
                for node in nodes
            ]
        await asyncio.gather(*looks)

    async def _config(self) -> None:
        found = await contents.observe_config(self._fleet)
        for node in self._nodes:
            self._put(node, "config", found)

    def _plan(self) -> RunPlan | None:
        plan = plan_of(Subject(self._situation.nodes[0], self._situation, self._board.seen))
        return plan if isinstance(plan, RunPlan) else None

    # ---- one observation

    async def _look(
        self,
        node: Node,
        name: str,
        observe: Callable[[Fleet, Node], Awaitable[Any]],
        seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Make an observation within its time, or put its absence in its place."""
        if name not in self._needs:
            return
        try:
            async with asyncio.timeout(seconds):
                found = await observe(self._fleet, node)
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
