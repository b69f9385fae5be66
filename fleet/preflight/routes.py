"""Events about the routes between nodes: one per pair, and notices about blocked routes. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.wire.message import message
from fleet.events import Event, Notice, PairProbed
from fleet.inventory import Node
from fleet.preflight.observations import MESH, LinkSpeed, ObservationStore
from fleet.preflight.pairs import blocked_messages, blocked_routes

#: Most notices about blocked routes; the matrix shows all.
_MAX_NOTICES = 20


def port_probe_events(
    seen: ObservationStore, nodes: Sequence[Node], clock: Callable[[], float]
) -> list[Event]:
    """Return PairProbed for each route that was tried, and Notices about blocked routes."""
    events: list[Event] = []
    for node in nodes:
        mesh = seen.get(node.name, MESH)
        for peer, ports in mesh["reaches"].items() if mesh is not None else ():
            outcomes = {column: result["outcome"] for column, result in ports.items()}
            outcomes = {column: outcome for column, outcome in outcomes.items() if outcome != "unmeasured"}
            events.append(PairProbed(node=node.name, at=clock(), peer=peer, ports=outcomes))
    texts = blocked_messages(blocked_routes(seen, nodes))
    if len(texts) > _MAX_NOTICES:
        rest = message(
            "preflight.blocked-more",
            "{count:n more connection} blocked; see the columns of the ports",
            count=len(texts) - _MAX_NOTICES,
        )
        texts = [*texts[:_MAX_NOTICES], rest]
    return [*events, *(Notice(at=clock(), level="warning", text=text) for text in texts)]


def link_speed_events(node: Node, links: Mapping[str, LinkSpeed], clock: Callable[[], float]) -> list[Event]:
    """Return PairProbed for each measured route from a node."""
    return [
        PairProbed(
            node=node.name, at=clock(), peer=peer, latency_ms=link["rtt"], bytes_per_second=link["rate"]
        )
        for peer, link in links.items()
    ]
