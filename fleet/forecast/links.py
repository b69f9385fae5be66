"""The connections between nodes, as the ring of an all-reduce uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from fleet.events import PairProbed


class Link(Struct, frozen=True):
    """Bytes go from ``source`` to ``target`` at ``rate`` bytes per second; ``rtt`` is in seconds."""

    source: str
    target: str
    rate: float
    rtt: float


def links_of(events: Iterable[PairProbed]) -> dict[tuple[str, str], Link]:
    """Return (source, target) -> link for all connections that were measured."""
    found = {}
    for event in events:
        if event.bytes_per_second and event.latency_ms is not None:
            # The measurement is of bytes that the node received from the peer.
            link = Link(event.peer, event.node, event.bytes_per_second, event.latency_ms / 1000)
            found[link.source, link.target] = link
    return found


def ring_links(nodes: Sequence[str], links: Mapping[tuple[str, str], Link]) -> list[Link]:
    """Return the measured links from each node to the next, the last one to the first."""
    if len(nodes) < 2:
        return []
    following = [*nodes[1:], nodes[0]]
    pairs = zip(nodes, following, strict=True)
    return [links[pair] for pair in pairs if pair in links]


def slowest(links: Iterable[Link]) -> Link | None:
    """Return the link with the lowest rate, None of none."""
    return min(links, key=lambda link: link.rate, default=None)
