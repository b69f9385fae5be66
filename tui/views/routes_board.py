"""The summary of all routes between nodes, recomputed only for nodes whose routes have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from agent.wire.message import Message
from fleet.state import FleetState, Route

#: Number of sentences about blocked routes that are shown; the matrix has all routes.
MOST = 60
_OPEN = "open"


class _Summary(Struct, frozen=True):
    """The summary of one node's routes; valid as long as these are the same."""

    routes: Mapping[str, Route]
    tried: int
    #: Targets with blocked ports, and these ports.
    closed: Sequence[tuple[str, Sequence[str]]]
    slowest: tuple[float, str] | None


@dataclass(slots=True)
class RoutesBoard:
    """Caches the summaries: 256 nodes have 65,280 routes, and a screen is drawn ten times per second."""

    _names: tuple[str, ...] = ()
    _summaries: dict[str, _Summary] = field(default_factory=dict)
    _sentences: list[Message] | None = None
    #: Nodes that cannot be reached now: results of the routes from and to them are outdated.
    _lost: frozenset[str] = frozenset()

    def update(self, names: Sequence[str], state: FleetState) -> None:
        """Update the summaries of the routes between these nodes."""
        if tuple(names) != self._names:
            self._names, self._summaries, self._sentences = tuple(names), {}, None
        among = frozenset(names)
        lost = frozenset(name for name in names if out_of_reach(name, state))
        if lost != self._lost:
            self._lost, self._sentences = lost, None
        for name in names:
            node = state.nodes.get(name)
            before = self._summaries.get(name)
            if node is not None and (before is None or before.routes is not node.routes):
                self._summaries[name] = found = _summary_of(name, node.routes, among)
                if found.closed or (before is not None and before.closed):
                    self._sentences = None

    def counts(self, state: FleetState) -> Counter[str]:
        """Return the number of routes by status (see :func:`tui.views.routes.status`)."""
        failed = {
            (name, check)
            for name in self._names
            if name in state.nodes
            for check, result in state.nodes[name].checks.items()
            if result.status == "fail"
        }
        counts: Counter[str] = Counter()
        others, lost = len(self._names) - 1, self._lost
        for name in self._names:
            summary = self._summaries.get(name)
            if name in lost or summary is None:
                counts["lost" if name in lost else "none"] += others
                continue
            # Tested routes to nodes that are lost now count as lost.
            past = sum(bool(summary.routes[peer].ports) for peer in lost if peer in summary.routes)
            closed = [pair for pair in summary.closed if pair[0] not in lost]
            counts["ok"] += summary.tried - past - len(closed)
            for target, ports in closed:
                counts["fail" if any((target, port) in failed for port in ports) else "warn"] += 1
            counts["lost"] += len(lost)
            counts["none"] += others - len(lost) - summary.tried + past
        return counts

    @property
    def slowest(self) -> tuple[float, str, str] | None:
        """The lowest rate in bytes per second, the node that received, and the node that sent."""
        rates = [(*one.slowest, name) for name, one in self._live() if one.slowest is not None]
        rates = [rate for rate in rates if rate[1] not in self._lost]
        if not rates:
            return None
        rate, sender, name = min(rates, key=lambda item: item[0])
        return rate, name, sender

    def sentences(self) -> list[Message]:
        """Return a sentence per group of nodes that fail to reach another node in the same manner."""
        if self._sentences is None:
            closed = [
                (name, target, summary.routes[target].ports)
                for name, summary in self._live()
                for target, _ in summary.closed
                if target not in self._lost
            ]
            if not closed:
                self._sentences = []
                return self._sentences
            from fleet.preflight.pairs import (  # nothing before the first trouble needs it
                blocked_messages,
                blocked_ports,
            )

            self._sentences = blocked_messages([one for route in closed for one in blocked_ports(*route)])
        return self._sentences

    def _live(self) -> Iterator[tuple[str, _Summary]]:
        """Yield the summaries of the nodes that can be reached."""
        return ((name, summary) for name, summary in self._summaries.items() if name not in self._lost)


def out_of_reach(name: str, state: FleetState) -> bool:
    """Return whether a node's link is down, so that the state of its routes is unknown."""
    return name in state.nodes and state.nodes[name].link.state in ("failed", "lost")


def _summary_of(name: str, routes: Mapping[str, Route], among: frozenset[str]) -> _Summary:
    tried, closed = 0, []
    slowest: tuple[float, str] | None = None
    for peer, route in routes.items():
        if peer == name or peer not in among:
            continue
        tried += bool(route.ports)
        if shut := tuple(port for port, outcome in route.ports.items() if outcome != _OPEN):
            closed.append((peer, shut))
        rate = route.bytes_per_second
        if rate and (slowest is None or rate < slowest[0]):
            slowest = (rate, peer)
    return _Summary(routes, tried, closed, slowest)
