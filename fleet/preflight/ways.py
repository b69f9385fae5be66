"""Events of the ways between nodes: each pair, and sentences for what is closed. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.events import Event, Notice, PairProbed
from fleet.inventory import Node
from fleet.preflight.check import Absent, Seen
from fleet.preflight.pairs import broken_ways, sentences

#: Most sentences about broken ways; the matrix has them all.
_MOST_SENTENCES = 20


def told_of_ports(seen: Seen, nodes: Sequence[Node], clock: Callable[[], float]) -> list[Event]:
    """Return PairProbed for each way that was tried, and a Notice for what is closed."""
    events: list[Event] = []
    for node in nodes:
        mesh = seen[node.name]["mesh"]
        for peer, ports in {} if isinstance(mesh, Absent) else mesh["reaches"].items():
            outcomes = {column: result["outcome"] for column, result in ports.items()}
            events.append(PairProbed(node=node.name, at=clock(), peer=peer, ports=outcomes))
    told = sentences(broken_ways(seen, nodes))
    if len(told) > _MOST_SENTENCES:
        rest = f"and {len(told) - _MOST_SENTENCES} more ways are closed; see the ports' columns"
        told = [*told[:_MOST_SENTENCES], rest]
    return [*events, *(Notice(at=clock(), level="warning", text=text) for text in told)]


def told_of_links(node: Node, links: Mapping[str, Any], clock: Callable[[], float]) -> list[Event]:
    """Return PairProbed for each way from a node that was measured."""
    return [
        PairProbed(node=node.name, at=clock(), peer=peer, latency_ms=way["rtt"], bytes_per_second=way["rate"])
        for peer, way in links.items()
    ]
