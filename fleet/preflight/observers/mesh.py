"""Observations ``mesh`` and ``links``: each node listens and connects for seconds, with one shared key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Self

from agent.wire.mesh import Attempt, MeshAnswer, MeshCommand, OpenedPort, Target
from agent.wire.message import message
from agent.wire.operation import Nothing
from agent.wire.operations import MESH
from agent.wire.runs import NodeArgs
from fleet.errors import FleetError, InvalidAnswer
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.link.client import Request
from fleet.preflight.observations import BUSY, Absent, LinkSpeed, MeshObservation, absent
from fleet.preflight.pairs import EPHEMERAL

#: Listeners close after this time even if the console has ended.
_LISTEN_SECONDS = 120
#: For one step of all nodes at once: 3 attempts of 3 s, and slow machines.
_STEP_SECONDS = 20.0
_NO_RESPONSE = message("preflight.mesh-no-response", "the port probe did not respond")
_NOT_MEASURED: LinkSpeed = {"rtt": None, "rate": None}

MeshRequest = Request[NodeArgs, MeshCommand, MeshAnswer, Nothing]


class Peer:
    """A node in the mesh; its commands are in :mod:`agent.checks.peer`."""

    def __init__(self, node: Node, request: MeshRequest, key: str) -> None:
        self.node = node
        #: Where it listens, once it does.
        self.address = ""
        self.trains = False
        #: Column -> {"port", "error"}.
        self.listening: dict[str, OpenedPort] = {}
        #: Other node -> column -> {"outcome", "ms"}.
        self.reaches: dict[str, dict[str, Attempt]] = {}
        self._request = request
        self._key = key
        self._items = aiter(request)

    async def listen(self, address: str, ports: Sequence[int]) -> None:
        """Open all ports and an ephemeral one; raises FleetError."""
        self.address = address
        ready = await self._next()
        if "trains" not in ready:
            raise self._unexpected()
        self.trains = ready["trains"]
        await self._request.send(
            {
                "do": "listen",
                "address": address,
                "ports": [*ports, 0],
                "key": self._key,
                "seconds": _LISTEN_SECONDS,
            }
        )
        answer = await self._next()
        if "listening" not in answer or set(answer["listening"]) != {*map(str, ports), "0"}:
            raise self._unexpected()
        self.listening = {
            EPHEMERAL if port == "0" else port: value for port, value in answer["listening"].items()
        }

    async def reach(self, others: Sequence[Peer]) -> None:
        """Connect to every open port of the others; raises FleetError."""
        targets: list[Target] = [
            {"peer": other.node.name, "address": other.address, "ports": other.open_ports}
            for other in others
            if other is not self and other.open_ports
        ]
        await self._request.send({"do": "reach", "targets": targets, "key": self._key})
        awaited = {target["peer"]: set(target["ports"]) for target in targets}
        while "done" not in (answer := await self._next()):
            if "ports" not in answer or awaited.pop(answer["peer"], None) != set(answer["ports"]):
                raise self._unexpected()
            self.reaches[answer["peer"]] = answer["ports"]
        if awaited:
            raise self._unexpected()

    async def measure(self, other: Peer, size: int, seconds: float) -> LinkSpeed:
        """Measure the route from the other node to this one."""
        port = other.open_ports.get(EPHEMERAL)
        if port is None:
            return _NOT_MEASURED
        await self._request.send(
            {
                "do": "measure",
                "peer": other.node.name,
                "address": other.address,
                "port": port,
                "key": self._key,
                "bytes": size,
                "seconds": seconds,
            }
        )
        answer = await self._next()
        if "rtt_ms" not in answer or answer["peer"] != other.node.name:
            raise self._unexpected()
        times = sorted(answer["rtt_ms"])
        rate = answer["bytes"] / answer["seconds"] if answer["seconds"] else None
        return {"rtt": times[len(times) // 2] if times else None, "rate": rate}

    @property
    def open_ports(self) -> dict[str, int]:
        """Column -> port for everything that listens here."""
        return {column: one["port"] for column, one in self.listening.items() if one["port"] is not None}

    def observation(self) -> MeshObservation:
        """Return the observation for the evaluators."""
        return {
            "address": self.address,
            "trains": self.trains,
            "listening": self.listening,
            "reaches": self.reaches,
        }

    def _unexpected(self) -> InvalidAnswer:
        return InvalidAnswer(
            "mesh", message("preflight.mesh-unexpected", "an unexpected answer"), node=self.node.name
        )

    async def _next(self) -> MeshAnswer:
        async with asyncio.timeout(_STEP_SECONDS):
            async for item in self._items:
                return item.body
        raise FleetError(message("preflight.mesh-ended", "the port probe ended early"), node=self.node.name)


class Mesh:
    """The peers of several nodes. Use as ``async with``; leaving it closes every listener."""

    def __init__(self, fleet: Fleet) -> None:
        self.peers: dict[str, Peer] = {}
        self.failed: dict[str, Absent] = {}
        self._fleet = fleet
        self._key = secrets.token_hex(32)
        self._stack = AsyncExitStack()
        #: Node -> the node that listens and connects for it.
        self._representative: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every listener now."""
        await self._stack.aclose()

    async def open(self, node: Node) -> None:
        """Start the node's peer, which takes time during which other observations can be made.

        If that fails, the node is in ``failed`` afterwards.
        """
        await self._each([node], self._open)

    async def probe(self, addresses: Mapping[str, str], ports: Sequence[int]) -> None:
        """Let all nodes listen, then connect; a node where that fails is in ``failed`` afterwards.

        Each node listens on its address of ``addresses``. Nodes with the same one are the same machine, and
        one of them represents all.
        """
        first: dict[str, str] = {}
        for name in sorted(addresses, key=lambda name: name not in self.peers):
            first.setdefault(addresses[name], name)
        self._representative = {name: first[address] for name, address in addresses.items()}
        chosen = [name for name in addresses if self._representative[name] == name]
        self.peers = {name: self.peers[name] for name in chosen if name in self.peers}
        nodes = [peer.node for peer in self.peers.values()]
        await self._each(nodes, lambda node: self._of(node).listen(addresses[node.name], ports))
        # A timeout means a blocked connection only if all nodes listen already.
        listening = list(self.peers.values())
        await self._each(nodes, lambda node: self._of(node).reach(listening))

    async def measure(self, size: int, seconds: float) -> dict[str, dict[str, LinkSpeed]]:
        """Return node -> other node -> speed of the route, each measured alone on its two nodes.

        In a round every node is in one pair at most, so that measurements do not disturb each other. A node
        on which an internal error prevented a measurement is in ``failed`` afterwards.
        """
        links: dict[str, dict[str, LinkSpeed]] = {name: {} for name in self.peers}

        async def one(source: str, target: str) -> None:
            for here, there in ((source, target), (target, source)):
                links[here][there] = _NOT_MEASURED
                try:
                    links[here][there] = await self.peers[here].measure(self.peers[there], size, seconds)
                except TimeoutError:
                    pass
                except Exception as error:  # noqa: BLE001 -- the other routes are measured
                    missing = absent(
                        error, message("preflight.step-measurement", "the measurement between nodes")
                    )
                    if missing.internal:
                        self.failed[here] = missing

        for pairs in rounds(list(self.peers)):
            await asyncio.gather(*(one(source, target) for source, target in pairs))
        return links

    def observation(self, node: str) -> MeshObservation | Absent:
        """Return the node's part of the matrix."""
        name = self._representative[node]
        if name in self.failed:
            return self.failed[name]
        found = self.peers[name].observation()
        same = {
            other
            for other, representative in self._representative.items()
            if representative == name and other != node
        }
        reaches = {
            other: found["reaches"].get(representative)
            for other, representative in self._representative.items()
            if representative != name
        }
        everything: dict[str, Attempt] = {
            column: {"outcome": "open", "ms": 0.0} for column in found["listening"]
        }
        return {
            **found,
            "reaches": {
                **{other: ports for other, ports in reaches.items() if ports},
                **dict.fromkeys(same, everything),
            },
        }

    async def _open(self, node: Node) -> None:
        link = await self._fleet.link(node)
        request = await self._stack.enter_async_context(
            link.request(MESH, NodeArgs(project=node.project, node=node.name))
        )
        self.peers[node.name] = Peer(node, request, self._key)

    def _of(self, node: Node) -> Peer:
        return self.peers[node.name]

    def _exclude(self, node: Node, reason: Absent) -> None:
        self.failed[node.name] = reason
        self.peers.pop(node.name, None)

    async def _each(self, nodes: Sequence[Node], step: Callable[[Node], Awaitable[None]]) -> None:
        step_name = message("preflight.step-ports", "the port probe")

        async def guarded(node: Node) -> None:
            if node.name in self.failed:
                return
            try:
                await step(node)
            except TimeoutError:
                self._exclude(node, Absent(_NO_RESPONSE, BUSY, internal=True))
            except Exception as error:  # noqa: BLE001 -- the other nodes are probed
                self._exclude(node, absent(error, step_name))

        await asyncio.gather(*(guarded(node) for node in nodes))


def rounds(names: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Return a round-robin tournament: every pair once, in rounds in which each name occurs once at most."""
    players: list[str | None] = [*names, *([None] if len(names) % 2 else [])]
    found = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = zip(players[:half], reversed(players[half:]), strict=True)
        found.append([(one, other) for one, other in pairs if one is not None and other is not None])
        players = [players[0], players[-1], *players[1:-1]]
    return found
