"""The nodes of an inventory with their open links: what every operation works on."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Self

from agent.wire.message import EMPTY, Message, message
from agent.wire.operation import Nothing
from agent.wire.operations import PING, PROBE
from agent.wire.reasons import system_reason
from fleet.endpoint import endpoint_of
from fleet.errors import FleetError, LinkLost, NotConnected
from fleet.events import Event, LinkChanged, LinkState, NodeProbed
from fleet.facts import own_part, probe_args
from fleet.inventory import Inventory, Node
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import Bundle, pack_agent
from fleet.link.client import AgentClient
from fleet.link.shell_problems import without_hello
from fleet.private_files import claim
from fleet.streams import contained, merge
from transports.base import Endpoint, NoPrompts, Prompts, Transport
from transports.errors import AuthenticationFailed, TransportError
from transports.guarded import GuardedPrompts
from transports.registry import open_transport

OpenTransport = Callable[..., Transport]


class Fleet:
    """Links to the nodes of ``inventory``, opened on first use and kept.

    ``home`` is the project's ``.dtui`` folder on the master. Use as ``async with``, on one event loop.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        home: Path,
        prompts: Prompts | None = None,
        clock: Callable[[], float] = time.time,
        transports: OpenTransport = open_transport,
    ) -> None:
        self.inventory = inventory
        self.home = home
        self.clock = clock
        self._prompts = GuardedPrompts(prompts or NoPrompts())
        self._open_transport = transports
        self._bundle: Bundle | None = None
        self._links: dict[str, tuple[Transport, AgentClient]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._listeners: dict[str, set[asyncio.Queue[Message | None]]] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, the master first."""
        return (self.inventory.master, *self.inventory.workers)

    @property
    def asked_at(self) -> float:
        """When a login last asked the user, by ``time.monotonic``: now, while a question is open."""
        return self._prompts.asked_at

    @property
    def passwords(self) -> Mapping[Endpoint, str]:
        """The passwords of the logins so far. They stay in memory."""
        return self._prompts.given

    async def __aenter__(self) -> Self:
        try:
            claim(self.home)
        except OSError as error:
            raise FleetError(
                message(
                    "home.not-private",
                    "cannot make {folder} private: {error}",
                    folder=str(self.home),
                    error=system_reason(error),
                ),
                remedy=message("home.not-private.remedy", "give the folder to the user who runs dtui"),
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connecting(self, node: Node) -> AsyncGenerator[LinkChanged, None]:
        """Yield what the connection is waiting for until there is a link; raises FleetError."""

        def changed(what: Message = EMPTY) -> LinkChanged:
            return LinkChanged(
                node=node.name, at=self.clock(), state="connecting", transport=node.transport, detail=what
            )

        yield changed()
        waits: asyncio.Queue[Message | None] = asyncio.Queue()
        listeners = self._listeners.setdefault(node.name, set())
        listeners.add(waits)
        opening = asyncio.create_task(self.link(node))
        opening.add_done_callback(lambda _: waits.put_nowait(None))
        try:
            while (what := await waits.get()) is not None:
                yield changed(what)
            await opening
        finally:
            listeners.discard(waits)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def link(self, node: Node) -> AgentClient:
        """Return the node's live link, connecting when there is none; raises FleetError."""
        async with self._turns.setdefault(node.name, asyncio.Lock()):
            known = self._links.get(node.name)
            if known is not None:
                if not known[1].lost.is_set():
                    return known[1]
                await self._drop(node.name)
            return await self._connect(node)

    async def close(self) -> None:
        """Close every link. Runs continue."""
        await asyncio.gather(*(self._drop(name) for name in list(self._links)))

    async def connect(
        self, nodes: Sequence[Node] | None = None, *, probe: bool = True
    ) -> AsyncGenerator[Event, None]:
        """Connect to all nodes concurrently; yield LinkChanged and, with ``probe``, NodeProbed for each."""
        sources = [
            self.contained(node, self._connect_one(node, probe), f"connecting to {node.name}")
            for node in nodes or self.nodes
        ]
        async for event in merge(*sources):
            yield event

    def contained(self, node: Node, source: AsyncIterator[Event], during: str) -> AsyncGenerator[Event, None]:
        """Yield the events of one node's source; an internal error becomes a failed LinkChanged."""

        def failed(what: Message) -> list[Event]:
            return [
                LinkChanged(
                    node=node.name, at=self.clock(), state="failed", transport=node.transport, detail=what
                )
            ]

        return contained(source, during, failed)

    async def _connect_one(self, node: Node, probe: bool) -> AsyncGenerator[Event, None]:
        try:
            async with aclosing(self.connecting(node)) as waits:
                async for wait in waits:
                    yield wait
            link = await self.link(node)
            method = self._links[node.name][0].method
            started = time.monotonic()
            await link.call(PING, Nothing())
            latency = (time.monotonic() - started) * 1000
            yield LinkChanged(
                node=node.name,
                at=self.clock(),
                state="up",
                transport=node.transport,
                detail=method,
                latency_ms=latency,
            )
            if probe:
                facts = await link.call(PROBE, probe_args(node, self.inventory))
                yield NodeProbed(node=node.name, at=self.clock(), facts=own_part(node, facts))
        except FleetError as error:
            state: LinkState = "lost" if isinstance(error, LinkLost) else "failed"
            yield LinkChanged(
                node=node.name,
                at=self.clock(),
                state=state,
                transport=node.transport,
                detail=error.what,
                remedy=error.remedy,
            )

    async def _connect(self, node: Node) -> AgentClient:
        if self._bundle is None:
            self._bundle = await asyncio.to_thread(pack_agent)
        endpoint = endpoint_of(node)
        transport = self._open_transport(
            node.transport, endpoint, known_hosts=self.home / "known_hosts", prompts=self._prompts
        )

        def waiting(what: Message) -> None:
            for listener in self._listeners.get(node.name, ()):
                listener.put_nowait(what)

        transport.waiting = waiting
        try:
            await transport.connect()
            python = node.python or (sys.executable if node.kind.is_local else None)
            started = await start_agent(transport, self._bundle, node=node.name, python=python)
            try:
                client = await AgentClient.open(started.channel, node=node.name, head=started.head)
            except LinkLost as error:
                raise await without_hello(transport, error, node.name) from error
        except TransportError as error:
            await transport.close()
            if isinstance(error, AuthenticationFailed):
                self._prompts.reject(endpoint)
            raise NotConnected(
                error.what, node=node.name, remedy=error.remedy, transient=error.transient
            ) from error
        except BaseException:
            await transport.close()
            raise
        self._links[node.name] = (transport, client)
        return client

    async def _drop(self, name: str) -> None:
        transport, client = self._links.pop(name)
        await client.close()
        await transport.close()
