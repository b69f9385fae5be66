"""Which node could connect to which other on which port, and messages about the blocked routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from agent.quoting import Unsafe, address
from agent.wire.message import Message, message
from agent.wire.preflight import Outcome
from fleet.addresses import ip_address, is_loopback
from fleet.facts import NodeFacts
from fleet.inventory import Node
from fleet.nodeset import fold
from fleet.preflight.check import Situation
from fleet.preflight.observations import LINK, MESH, LinkUp, ObservationStore

#: Name of the column, and of the port that the system chooses.
EPHEMERAL = "ephemeral"

_OUTCOMES: Mapping[Outcome, Message] = {
    "open": message("preflight.outcome-open", "connected"),
    "refused": message(
        "preflight.outcome-refused", "refused although a listener was open (rejected by a firewall)"
    ),
    "dropped": message(
        "preflight.outcome-dropped", "no response although a listener was open (dropped by a firewall)"
    ),
    "unreachable": message("preflight.outcome-unreachable", "the network has no route to the node"),
    "silent": message(
        "preflight.outcome-silent",
        "connected, but no response (intercepted by a device or program in between)",
    ),
    "foreign": message(
        "preflight.outcome-foreign",
        "a different service responded (a proxy, or another machine with this address)",
    ),
    "unmeasured": message("preflight.outcome-unmeasured", "not measured, since a machine was too busy"),
    "error": message("preflight.outcome-error", "the operating system refused to connect"),
}


class BlockedRoute(Struct, frozen=True):
    """``source`` cannot connect to ``target`` on ``ports`` (names of columns), with this ``outcome``."""

    source: str
    target: str
    ports: tuple[str, ...]
    outcome: Outcome
    #: Whether these are all the ports that were tried.
    all_ports: bool


def peer_address(node: Node, source: str | None, master_address: str, *, first: bool) -> str:
    """Return the address at which the other ranks will connect to this node.

    That is rank 0's address for the first, else ``source``, the node's own on its route to the master (None
    without a route), as gloo publishes it. Nodes on loopback differ in their addresses only, so the
    inventory's is used. A reported address is used only if it is an IP address.
    """
    if first and master_address:
        return master_address
    if is_loopback(node.address):
        return node.address or "127.0.0.1"
    reported = reported_address(source)
    if reported and not is_loopback(reported):
        return reported
    return node.address


def observed_address(node: Node, situation: Situation, seen: ObservationStore) -> str:
    """Return the address at which the other ranks will connect to a node, by the observation of its link."""
    link = seen.get(node.name, LINK)
    source = link.source if isinstance(link, LinkUp) else None
    first = node.name == situation.nodes[0].name
    return peer_address(node, source, situation.inventory.master.address, first=first)


def source_of(facts: NodeFacts | None) -> str | None:
    """Return the node's own address on its route to the master, from its facts; None if it is not valid."""
    return None if facts is None else reported_address(facts["route"]["source"])


def reported_address(value: object) -> str | None:
    """Return an address that a node reports, None when it is not one: other nodes connect to it."""
    try:
        return address(value)
    except Unsafe:
        return None


def blocked_routes(
    seen: ObservationStore, nodes: Sequence[Node], target: str | None = None
) -> list[BlockedRoute]:
    """Return the blocked routes (to ``target`` only), in the order of the nodes, one per outcome."""
    found = []
    targets = [node.name for node in nodes] if target is None else [target]
    for source in nodes:
        mesh = seen.get(source.name, MESH)
        if mesh is None:
            continue
        for other in targets:
            outcomes = {port: tried["outcome"] for port, tried in mesh["reaches"].get(other, {}).items()}
            found += blocked_ports(source.name, other, outcomes)
    return found


def blocked_ports(source: str, target: str, outcomes: Mapping[str, Outcome]) -> list[BlockedRoute]:
    """Return the blocked ports of one route by outcome, from the outcome of each port that was tried."""
    closed: dict[Outcome, list[str]] = {}
    for port, outcome in outcomes.items():
        if outcome not in ("open", "unmeasured"):
            closed.setdefault(outcome, []).append(port)
    return [
        BlockedRoute(source, target, tuple(ports), outcome, len(ports) == len(outcomes) > 1)
        for outcome, ports in closed.items()
    ]


def blocked_messages(blocked: Iterable[BlockedRoute]) -> list[Message]:
    """Return one message for all sources that fail alike."""
    alike: dict[tuple[str, tuple[str, ...], Outcome, bool], list[str]] = {}
    for one in blocked:
        alike.setdefault((one.target, one.ports, one.outcome, one.all_ports), []).append(one.source)
    return [
        _blocked_message(fold(sources), target, ports, outcome, all_ports)
        for (target, ports, outcome, all_ports), sources in alike.items()
    ]


def _blocked_message(
    sources: str, target: str, ports: Sequence[str], outcome: Outcome, all_ports: bool
) -> Message:
    reason, numbers = _OUTCOMES[outcome], port_ranges(ports)
    if all_ports:
        return message(
            "preflight.blocked-all",
            "{sources} cannot connect to {target} on any port: {reason}",
            sources=sources,
            target=target,
            reason=reason,
        )
    if not numbers:
        return message(
            "preflight.blocked-ephemeral",
            "{sources} cannot connect to {target} on an ephemeral port: {reason}",
            sources=sources,
            target=target,
            reason=reason,
        )
    if EPHEMERAL not in ports:
        return message(
            "preflight.blocked-ports",
            "{sources} cannot connect to {target} on port {ports}: {reason}",
            sources=sources,
            target=target,
            ports=numbers,
            reason=reason,
        )
    return message(
        "preflight.blocked-ports-and-ephemeral",
        "{sources} cannot connect to {target} on port {ports} and an ephemeral port: {reason}",
        sources=sources,
        target=target,
        ports=numbers,
        reason=reason,
    )


def port_ranges(ports: Sequence[str]) -> str:
    """Return the numbered ports in short: ``29500-29502, 29504``."""
    numbers = sorted(int(port) for port in ports if port != EPHEMERAL)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def same_family(addresses: Iterable[str]) -> bool:
    """Return whether all address literals are of one IP version: mixed peers cannot connect."""
    return len({ip.version for text in addresses if (ip := ip_address(text)) is not None}) < 2
