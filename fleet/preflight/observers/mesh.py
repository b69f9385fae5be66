"""Observations ``mesh`` and ``links``: every node listens, every node connects, with a nonce, for seconds."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.link.client import Item, Request
from fleet.preflight.check import Absent
from fleet.preflight.pairs import EPHEMERAL

#: Listeners close by themselves after so long, whatever happens to us.
_LISTEN_SECONDS = 120
#: For one step of all nodes at once: 3 attempts of 3 s, and slow machines.
_STEP_SECONDS = 30.0


class Peer:
    """A node's end of the mesh; :mod:`agent.checks.peer` has the commands."""

    def __init__(self, node: Node, request: Request, token: str) -> None:
        self.node = node
        #: Where it listens; known once it does.
        self.address = ""
        self.trains = False
        #: Column -> {"port", "error"}.
        self.listening: dict[str, dict[str, Any]] = {}
        #: Other node -> column -> {"outcome", "ms"}.
        self.reaches: dict[str, dict[str, Any]] = {}
        self._request = request
        self._token = token
        self._items: AsyncIterator[Item] = aiter(request)

    async def listen(self, address: str, ports: Sequence[int]) -> None:
        """Open all ports and one of the system's choice; raises FleetError."""
        self.address = address
        self.trains = bool((await self._next())["trains"])
        await self._say(
            {"do": "listen", "address": address, "ports": [*ports, 0], "seconds": _LISTEN_SECONDS}
        )
        listening = (await self._next())["listening"]
        self.listening = {EPHEMERAL if port == "0" else port: value for port, value in listening.items()}

    async def reach(self, others: Sequence[Peer]) -> None:
        """Connect to every open port of the others; raises FleetError."""
        targets = [
            {"peer": other.node.name, "address": other.address, "ports": other.open_ports}
            for other in others
            if other is not self and other.open_ports
        ]
        await self._say({"do": "reach", "targets": targets})
        while "done" not in (answer := await self._next()):
            self.reaches[answer["peer"]] = answer["ports"]

    async def measure(self, other: Peer, size: int, seconds: float) -> dict[str, Any]:
        """Return ``rtt`` in ms and ``rate`` in bytes a second from the other to here, None when it failed."""
        port = other.open_ports.get(EPHEMERAL)
        if port is None:
            return {"rtt": None, "rate": None, "error": "no listener there"}
        await self._say(
            {
                "do": "measure",
                "peer": other.node.name,
                "address": other.address,
                "port": port,
                "bytes": size,
                "seconds": seconds,
            }
        )
        answer = await self._next()
        times = sorted(answer["rtt_ms"])
        rate = answer["bytes"] / answer["seconds"] if answer["seconds"] else None
        return {"rtt": times[len(times) // 2] if times else None, "rate": rate, "error": answer["error"]}

    @property
    def open_ports(self) -> dict[str, int]:
        """Column -> port for everything that listens here."""
        return {column: one["port"] for column, one in self.listening.items() if one["port"] is not None}

    def observation(self) -> dict[str, Any]:
        """Return what preflight's judges read."""
        return {
            "address": self.address,
            "trains": self.trains,
            "listening": self.listening,
            "reaches": self.reaches,
        }

    async def _say(self, command: dict[str, Any]) -> None:
        await self._request.send({**command, "token": self._token})

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(_STEP_SECONDS):
            async for item in self._items:
                answer: dict[str, Any] = item.body
                return answer
        raise FleetError("the port probe ended early", node=self.node.name)


class Mesh:
    """The peers of several nodes. Use as ``async with``; leaving it closes every listener."""

    def __init__(self, fleet: Fleet) -> None:
        self.peers: dict[str, Peer] = {}
        self.failed: dict[str, Absent] = {}
        self._fleet = fleet
        self._token = secrets.token_hex(16)
        self._stack = AsyncExitStack()
        #: Node -> the node that listens and connects for it.
        self._standing_for: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every listener now."""
        await self._stack.aclose()

    async def open(self, node: Node) -> None:
        """Start the node's peer, which takes a moment: what else has to be looked at can be, meanwhile.

        A node that can't is in ``failed`` afterwards.
        """
        await self._each([node], self._open)

    async def probe(self, addresses: Mapping[str, str], ports: Sequence[int]) -> None:
        """Have all listen, then all connect; a node that can't is in ``failed`` afterwards.

        ``addresses`` says at which address each node listens. Nodes with the same one are the same machine:
        one of them stands for all.
        """
        first: dict[str, str] = {}
        for name in sorted(addresses, key=lambda name: name not in self.peers):
            first.setdefault(addresses[name], name)
        self._standing_for = {name: first[address] for name, address in addresses.items()}
        chosen = [name for name in addresses if self._standing_for[name] == name]
        self.peers = {name: self.peers[name] for name in chosen if name in self.peers}
        nodes = [peer.node for peer in self.peers.values()]
        await self._each(nodes, lambda node: self._of(node).listen(addresses[node.name], ports))
        # Only once all listen does a timeout mean that something is in the way.
        listening = list(self.peers.values())
        await self._each(nodes, lambda node: self._of(node).reach(listening))

    async def measure(self, size: int, seconds: float) -> dict[str, dict[str, Any]]:
        """Return ``{node: {other: {"rtt", "rate", "error"}}}``, each way by itself on its two nodes.

        In a round every node is in one pair at most, so that no way is measured under another's load.
        """
        links: dict[str, dict[str, Any]] = {name: {} for name in self.peers}

        async def one(source: str, target: str) -> None:
            for here, there in ((source, target), (target, source)):
                try:
                    way = await self.peers[here].measure(self.peers[there], size, seconds)
                except (FleetError, TimeoutError) as error:
                    way = {"rtt": None, "rate": None, "error": str(error)}
                links[here][there] = way

        for pairs in rounds(list(self.peers)):
            await asyncio.gather(*(one(source, target) for source, target in pairs))
        return links

    def observation(self, node: str) -> dict[str, Any] | Absent:
        """Return the node's part of the matrix."""
        name = self._standing_for[node]
        if name in self.failed:
            return self.failed[name]
        found = self.peers[name].observation()
        same = {other for other, stands in self._standing_for.items() if stands == name and other != node}
        reaches = {
            other: found["reaches"].get(stands)
            for other, stands in self._standing_for.items()
            if stands != name
        }
        everything = {column: {"outcome": "open", "ms": 0.0} for column in found["listening"]}
        return {
            **found,
            "reaches": {
                **{other: ports for other, ports in reaches.items() if ports},
                **dict.fromkeys(same, everything),
            },
        }

    async def _open(self, node: Node) -> None:
        link = await self._fleet.link(node)
        request = await self._stack.enter_async_context(link.request("mesh", project=node.project))
        self.peers[node.name] = Peer(node, request, self._token)

    def _of(self, node: Node) -> Peer:
        return self.peers[node.name]

    async def _each(self, nodes: Sequence[Node], step: Any) -> None:
        async def guarded(node: Node) -> None:
            if node.name in self.failed:
                return
            try:
                await step(node)
            except (FleetError, TimeoutError) as error:
                reason = error.what if isinstance(error, FleetError) else "the port probe did not answer"
                self.failed[node.name] = Absent(reason)
                self.peers.pop(node.name, None)

        await asyncio.gather(*(guarded(node) for node in nodes))


def rounds(names: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Return a tournament: every pair once, in rounds in which nobody occurs twice."""
    players: list[str | None] = [*names, *([None] if len(names) % 2 else [])]
    found = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = zip(players[:half], reversed(players[half:]), strict=True)
        found.append([(one, other) for one, other in pairs if one is not None and other is not None])
        players = [players[0], players[-1], *players[1:-1]]
    return found
