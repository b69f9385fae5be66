"""What is said of all ways between nodes at once, worked out anew only where something has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fleet.frozen import frozen
from fleet.state import FleetState, Way

#: Sentences about closed ways that are kept; the matrix has them all.
MOST = 60
_OPEN = "open"


@frozen
class _Known:
    """What was worked out of one node's ways, as long as these are the same."""

    ways: Mapping[str, Way]
    tried: int
    #: Those that are not open at each port: the other end, and the ports.
    closed: Sequence[tuple[str, Sequence[str]]]
    slowest: tuple[float, str] | None


@dataclass(slots=True)
class WaysBoard:
    """Of a fleet of 256 nodes there are 65,280 ways, and a screen is drawn ten times a second."""

    _names: tuple[str, ...] = ()
    _known: dict[str, _Known] = field(default_factory=dict)
    _told: list[str] | None = None
    #: Nodes that can't be reached now: what was learnt of the ways from and to them is of another time.
    _lost: frozenset[str] = frozenset()

    def look(self, names: Sequence[str], state: FleetState) -> None:
        """Take in the ways between these nodes."""
        if tuple(names) != self._names:
            self._names, self._known, self._told = tuple(names), {}, None
        among = frozenset(names)
        lost = frozenset(name for name in names if out_of_reach(name, state))
        if lost != self._lost:
            self._lost, self._told = lost, None
        for name in names:
            node = state.nodes.get(name)
            before = self._known.get(name)
            if node is not None and (before is None or before.ways is not node.ways):
                self._known[name] = found = _worked_out(name, node.ways, among)
                if found.closed or (before is not None and before.closed):
                    self._told = None

    def counts(self, state: FleetState) -> Counter[str]:
        """Return how many ways there are of each status (see :func:`tui.views.ways.status`)."""
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
            known = self._known.get(name)
            if name in lost or known is None:
                counts["lost" if name in lost else "none"] += others
                continue
            # Tried ways to nodes that are lost now count as lost, not as what they were.
            past = sum(bool(known.ways[peer].ports) for peer in lost if peer in known.ways)
            closed = [pair for pair in known.closed if pair[0] not in lost]
            counts["ok"] += known.tried - past - len(closed)
            for target, ports in closed:
                counts["fail" if any((target, port) in failed for port in ports) else "warn"] += 1
            counts["lost"] += len(lost)
            counts["none"] += others - len(lost) - known.tried + past
        return counts

    @property
    def slowest(self) -> tuple[float, str, str] | None:
        """The lowest rate in bytes a second, the node that got the bytes, and the one that sent them."""
        rates = [(*one.slowest, name) for name, one in self._live() if one.slowest is not None]
        rates = [rate for rate in rates if rate[1] not in self._lost]
        if not rates:
            return None
        rate, sender, name = min(rates, key=lambda item: item[0])
        return rate, name, sender

    def sentences(self) -> list[str]:
        """Return a sentence for all nodes that fail to reach another alike, the first MOST of them."""
        if self._told is None:
            closed = [
                (name, target, known.ways[target].ports)
                for name, known in self._live()
                for target, _ in known.closed
                if target not in self._lost
            ]
            if not closed:
                self._told = []
                return self._told
            from fleet.preflight.pairs import (  # nothing before the first trouble needs it
                broken_way,
                sentences,
            )

            self._told = sentences([one for way in closed for one in broken_way(*way)])
        return self._told

    def _live(self) -> Iterator[tuple[str, _Known]]:
        """Yield what is known of the nodes that can be reached."""
        return ((name, known) for name, known in self._known.items() if name not in self._lost)


def out_of_reach(name: str, state: FleetState) -> bool:
    """Return whether a node's link is down: nobody can tell how its ways are now."""
    return name in state.nodes and state.nodes[name].link.state in ("failed", "lost")


def _worked_out(name: str, ways: Mapping[str, Way], among: frozenset[str]) -> _Known:
    tried, closed = 0, []
    slowest: tuple[float, str] | None = None
    for peer, way in ways.items():
        if peer == name or peer not in among:
            continue
        tried += bool(way.ports)
        if shut := tuple(port for port, outcome in way.ports.items() if outcome != _OPEN):
            closed.append((peer, shut))
        rate = way.bytes_per_second
        if rate and (slowest is None or rate < slowest[0]):
            slowest = (rate, peer)
    return _Known(ways, tried, closed, slowest)
