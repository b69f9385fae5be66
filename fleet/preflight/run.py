"""Observe all nodes at once and yield each result as soon as it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from agent.wire import operations
from agent.wire.message import Message, message
from agent.wire.preflight import Conditions, ConditionsArgs, PortcheckArgs, PortcheckResult
from fleet.data import data_of
from fleet.deploy.project import scan_project
from fleet.deploy.scan import Scan, scan_data
from fleet.events import Event, NodeProbed
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.preflight.board import Board
from fleet.preflight.catalog import checks_for, ports_for, select
from fleet.preflight.check import Situation, Subject
from fleet.preflight.checks.run_plan import plan_of
from fleet.preflight.observations import (
    BUSY,
    CODE,
    CONDITIONS,
    CONFIG,
    DATA,
    FACTS,
    LINK,
    LINKS,
    MESH,
    OUTSIDE,
    PORTS,
    TRIAL,
    Absent,
    AnyObservation,
    LinkFailed,
    LinkUp,
    Observation,
    T,
    absent,
)
from fleet.preflight.observers import contents
from fleet.preflight.observers.connection import observe_facts, observe_link
from fleet.preflight.observers.mesh import Mesh
from fleet.preflight.observers.outside import observe_outside
from fleet.preflight.options import PreflightOptions
from fleet.preflight.pairs import observed_address
from fleet.preflight.routes import link_speed_events, port_probe_events

#: Observations of the routes between nodes.
_ROUTES: frozenset[AnyObservation] = frozenset({MESH, LINKS})
#: Observations that are kept even when no check needs them, because other observations depend on them.
_ALWAYS: frozenset[AnyObservation] = frozenset({LINK, FACTS, MESH})
#: Observations that need no connection to the node.
_FROM_OUTSIDE: frozenset[AnyObservation] = frozenset({LINK, OUTSIDE, CONFIG})
_OBSERVE_SECONDS = 20.0
_TRIAL_SECONDS = 120.0
_DATA_SECONDS = 50.0
#: Within the limit of an observation; listing a million files takes longer.
_DATA_SIZE_SECONDS = 10.0
_OUTSIDE_AT_ONCE = 32


async def preflight(
    fleet: Fleet, nodes: Sequence[Node], options: PreflightOptions | None = None
) -> AsyncGenerator[Event, None]:
    """Yield CheckFinished for each check and node, and LinkChanged, NodeProbed and PairProbed.

    Every cell gets a result. Raises NoSuchCheck.
    """
    preflight_run = _PreflightRun(fleet, nodes, options or PreflightOptions())
    task = asyncio.create_task(preflight_run.run(), name="preflight")
    try:
        while (event := await preflight_run.events.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _PreflightRun:
    def __init__(self, fleet: Fleet, nodes: Sequence[Node], options: PreflightOptions) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._fleet = fleet
        self._options = options
        inventory = fleet.inventory
        selected = select(checks_for(inventory.run.port), options.checks)
        checks = tuple(check for check in selected if check.name not in options.without)
        self._needs: set[AnyObservation] = {need for check in checks for need in check.needs}
        among = {node.name for node in (options.among or nodes)} | {node.name for node in nodes}
        # Checks of single nodes need no observation of the others.
        taking_part = tuple(node for node in inventory.nodes if node.name in among)
        alone = all(check.scope == "node" for check in checks)
        observed = tuple(nodes) if alone else taking_part
        self._nodes = observed
        self._ports = ports_for(inventory.run.port)
        self._described = described = data_of(inventory)
        #: The data that a deploy copies.
        self._copied = None if described is None or described.sync == "no" else described
        self._data_scan: asyncio.Task[Scan] | None = None
        situation = Situation(inventory, taking_part, data=self._described, cpu=options.cpu)
        self._board = Board(situation, checks, rows=nodes, clock=fleet.clock)
        self._scan: asyncio.Task[Scan] | None = None
        self._turn = asyncio.Semaphore(_OUTSIDE_AT_ONCE)

    async def run(self) -> None:
        """Make every observation that a check needs; put None behind the last event."""
        try:
            await asyncio.gather(
                *(self._outside(node) for node in self._nodes),
                self._guarded(self._inside(), self._nodes, self._needs - {OUTSIDE}),
            )
            self._emit(
                self._board.settle(message("preflight.not-observed", "the node could not be observed"))
            )
        finally:
            for scan in (self._scan, self._data_scan):
                if scan is not None:
                    scan.cancel()
            self.events.put_nowait(None)

    async def _outside(self, node: Node) -> None:
        # The master's agent observes all nodes, and the number of its simultaneous requests is limited.
        async with self._turn:
            await self._observe(node, OUTSIDE, lambda: observe_outside(self._fleet, node))

    async def _inside(self) -> None:
        """Observe the nodes; no observation waits for one that it does not need."""
        async with Mesh(self._fleet) as mesh, asyncio.TaskGroup() as group:
            connecting = {node.name: group.create_task(self._connect(node)) for node in self._nodes}

            def each(
                step: Callable[[Node], Awaitable[None]], observation: AnyObservation
            ) -> list[asyncio.Task[None]]:
                async def one(node: Node) -> None:
                    if await connecting[node.name]:
                        await self._guarded(step(node), [node], [observation])

                return [group.create_task(one(node)) for node in self._nodes]

            if self._needs & _ROUTES:
                # Listeners of one node would occupy the ports of another node on the same machine.
                opened = [*each(mesh.open, MESH), *each(self._portcheck, PORTS)]
                routes = _after(opened, lambda: self._routes(mesh))
                group.create_task(self._guarded(routes, self._nodes, _ROUTES))
            probed = each(self._facts, FACTS)
            each(self._conditions, CONDITIONS)
            each(self._data, DATA)
            each(self._code, CODE)
            if CONFIG in self._needs:
                group.create_task(self._guarded(self._config(), self._nodes, [CONFIG]))
            if TRIAL in self._needs:
                trials = _after(probed, self._trials)
                group.create_task(self._guarded(trials, self._nodes, [TRIAL]))

    async def _connect(self, node: Node) -> bool:
        await self._guarded(self._link(node), [node], [LINK])
        if self._is_up(node):
            return True
        for observation in self._needs - _FROM_OUTSIDE:
            self._miss(node, observation, Absent(message("preflight.no-connection", "no connection")))
        return False

    async def _link(self, node: Node) -> None:
        async for found in observe_link(self._fleet, node):
            if isinstance(found, LinkUp | LinkFailed):
                self._put(node, LINK, found)
            else:
                self._announce(found)

    async def _facts(self, node: Node) -> None:
        async for found in observe_facts(self._fleet, node):
            if isinstance(found, Absent):
                self._miss(node, FACTS, found)
                continue
            self._announce(found)
            if isinstance(found, NodeProbed):
                self._put(node, FACTS, found.facts)

    def _announce(self, event: Event) -> None:
        if self._options.announce:
            self.events.put_nowait(event)

    def _is_up(self, node: Node) -> bool:
        link = self._board.seen.get(node.name, LINK)
        return isinstance(link, LinkUp)

    # ---- single nodes

    async def _portcheck(self, node: Node) -> None:
        async def observe() -> PortcheckResult:
            link = await self._fleet.link(node)
            args = PortcheckArgs(address=self._address(node), ports=list(self._ports))
            return await link.call(operations.PORTCHECK, args)

        await self._observe(node, PORTS, observe)

    async def _conditions(self, node: Node) -> None:
        async def observe() -> Conditions:
            link = await self._fleet.link(node)
            args = ConditionsArgs(project=node.project, node=node.name)
            folder = self._copied.folder_on(node) if self._copied is not None else None
            if folder is not None:
                args["data"] = folder
            found = await link.call(operations.CONDITIONS, args)
            # The evaluator of the disk needs the sizes of a deploy.
            size, data = (await self._scanned()).size, await self._data_size()
            self._board.situation = replace(self._board.situation, deploy_bytes=size, data_bytes=data)
            return found

        await self._observe(node, CONDITIONS, observe)

    async def _data(self, node: Node) -> None:
        described = self._described
        folder = described.folder_on(node) if described is not None else None
        if described is None or folder is None or described.parity == "off":
            self._put(node, DATA, contents.NO_DATA)
            return
        budget = self._options.data_budget if described.parity == "digest" else 0
        shown = described.folders[node.name]
        await self._observe(
            node,
            DATA,
            lambda: contents.observe_data(self._fleet, node, folder, shown, budget),
            _DATA_SECONDS,
        )

    async def _code(self, node: Node) -> None:
        async def observe() -> dict[str, str]:
            paths = contents.code_paths(await self._scanned())
            return await contents.observe_code(self._fleet, node, paths)

        await self._observe(node, CODE, observe)

    async def _scanned(self) -> Scan:
        if self._scan is None:
            self._scan = asyncio.create_task(asyncio.to_thread(scan_project, self._fleet.inventory))
        return await asyncio.shield(self._scan)

    async def _data_size(self) -> int | None:
        """Return the size of the data that a deploy copies, None when there is none or it takes too long."""
        if self._copied is None or self._copied.root is None:
            return None
        if self._data_scan is None:
            read = partial(scan_data, self._copied.root, self._fleet.inventory.project, self._copied.inside)
            self._data_scan = asyncio.create_task(asyncio.to_thread(read))
        with suppress(TimeoutError):
            async with asyncio.timeout(_DATA_SIZE_SECONDS):
                return (await asyncio.shield(self._data_scan)).size
        return None

    def _address(self, node: Node) -> str:
        return observed_address(node, self._board.situation, self._board.seen)

    # ---- all nodes together

    async def _routes(self, mesh: Mesh) -> None:
        nodes = [node for node in self._nodes if self._is_up(node)]
        await mesh.probe({node.name: self._address(node) for node in nodes}, self._ports)
        for node in nodes:
            self._put(node, MESH, mesh.observation(node.name))
        self._emit(port_probe_events(self._board.seen, nodes, self._fleet.clock))
        if LINKS in self._needs:
            links = await mesh.measure(self._options.measure_bytes, self._options.measure_seconds)
            for node in nodes:
                found = links.get(node.name) or {}
                failed = mesh.failed.get(node.name)
                internal = failed if failed is not None and failed.internal else None
                nothing = Absent(message("preflight.links-not-measured", "no connection was measured"))
                self._put(node, LINKS, internal or found or nothing)
                self._emit(link_speed_events(node, found, self._fleet.clock))
        await mesh.close()  # other observations may go on, but none of them needs a listener

    async def _config(self) -> None:
        found = await contents.observe_config(self._fleet)
        for node in self._nodes:
            self._put(node, CONFIG, found)

    async def _trials(self) -> None:
        situation = self._board.situation
        found = plan_of(Subject(situation.nodes[0], situation, self._board.seen))
        plan = found if isinstance(found, RunPlan) else None
        await asyncio.gather(
            *(
                self._observe(
                    node, TRIAL, partial(contents.observe_trial, self._fleet, node, plan), _TRIAL_SECONDS
                )
                for node in self._nodes
                if self._board.seen.get(node.name, FACTS) is not None
            )
        )

    # ---- one observation

    async def _observe(
        self,
        node: Node,
        observation: Observation[T],
        observe: Callable[[], Awaitable[T]],
        seconds: float = _OBSERVE_SECONDS,
    ) -> None:
        """Make an observation within ``seconds``, or record its absence."""
        if observation not in self._needs:
            return
        try:
            async with asyncio.timeout(seconds):
                found = await observe()
        except TimeoutError:
            # It may be overloaded, or hostile: a missing observation must not look like a pass.
            reason = message(
                "preflight.no-response", "the node did not respond within {seconds:.0f} s", seconds=seconds
            )
            self._miss(node, observation, Absent(reason, BUSY, internal=True))
        except Exception as error:  # noqa: BLE001 -- the other observations are made
            self._miss(node, observation, absent(error, _step([observation])))
        else:
            self._put(node, observation, found)

    async def _guarded(
        self, step: Awaitable[None], nodes: Sequence[Node], observations: Collection[AnyObservation]
    ) -> None:
        """Run a step that makes these observations; record those that an error prevents as absent."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 -- the other observations are made
            reason = absent(error, _step(observations))
            for node in nodes:
                for observation in observations:
                    if not self._board.seen.has(node.name, observation):
                        self._miss(node, observation, reason)

    def _put(self, node: Node, observation: Observation[T], value: T | Absent) -> None:
        if observation in self._needs or observation in _ALWAYS:
            self._emit(self._board.put(node.name, observation, value))

    def _miss(self, node: Node, observation: AnyObservation, reason: Absent) -> None:
        if observation in self._needs or observation in _ALWAYS:
            self._emit(self._board.miss(node.name, observation, reason))

    def _emit(self, events: Sequence[Event]) -> None:
        for event in events:
            self.events.put_nowait(event)


def _step(observations: Collection[AnyObservation]) -> Message:
    names = sorted(f"`{observation}`" for observation in observations)
    return message("preflight.step-observation", "the observation {names}", names=names)


async def _after(tasks: Sequence[asyncio.Task[None]], step: Callable[[], Awaitable[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
    await step()
