"""The matrix of ways between nodes: who could connect to whom at which port, and the sentences for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet.frozen import frozen
from fleet.inventory import Node
from fleet.nodeset import fold
from fleet.preflight.check import Absent, Seen, is_loopback

#: Name of the column, and of the port that the system chooses.
EPHEMERAL = "ephemeral"

_SAID = {
    "refused": "refused although a listener was there (a firewall rejects it)",
    "dropped": "no answer although a listener was there (a firewall drops it)",
    "unreachable": "the network says that there is no way",
    "silent": "connected, then silence (something in between takes the connection)",
    "foreign": "something else answered (a proxy, or another machine has this address)",
    "error": "the system refused to try",
}


@frozen
class Broken:
    """``source`` can't reach ``target`` at ``ports`` (as columns are named), with this ``outcome``."""

    source: str
    target: str
    ports: tuple[str, ...]
    outcome: str
    #: Whether these are all the ports that were tried.
    all_ports: bool


def peer_address(node: Node, source: str | None, master_address: str, *, first: bool) -> str:
    """Return the address at which the other ranks will connect to this node.

    That is rank 0's address for the first, else ``source``, the node's own on its way to the master (None
    where there is no way), as gloo publishes it. Nodes on loopback share everything but their addresses, so
    there the inventory's decides.
    """
    if first and master_address:
        return master_address
    if is_loopback(node.address):
        return node.address or "127.0.0.1"
    if source and not is_loopback(source):
        return source
    return node.address


def source_of(facts: Mapping[str, Any] | None) -> str | None:
    """Return the node's own address on its way to the master, as its facts tell it."""
    return ((facts or {}).get("route") or {}).get("source")


def broken_ways(seen: Seen, nodes: Sequence[Node], target: str | None = None) -> list[Broken]:
    """Return what could not connect (to ``target`` only), in the order of the nodes.

    Ports of one outcome are together.
    """
    found = []
    targets = [node.name for node in nodes] if target is None else [target]
    for source in nodes:
        mesh = seen.get(source.name, {}).get("mesh")
        if mesh is None or isinstance(mesh, Absent):
            continue
        for other in targets:
            ports: Mapping[str, Any] = mesh["reaches"].get(other, {})
            outcomes = {port: str(result["outcome"]) for port, result in ports.items()}
            found += broken_way(source.name, other, outcomes)
    return found


def broken_way(source: str, target: str, outcomes: Mapping[str, str]) -> list[Broken]:
    """Return what is closed of one way, from the outcome of each port that was tried."""
    closed: dict[str, list[str]] = {}
    for port, outcome in outcomes.items():
        if outcome != "open":
            closed.setdefault(outcome, []).append(port)
    return [
        Broken(source, target, tuple(ports), outcome, len(ports) == len(outcomes) > 1)
        for outcome, ports in closed.items()
    ]


def sentences(broken: Iterable[Broken]) -> list[str]:
    """Return one sentence for all sources that fail alike, shortest description first."""
    alike: dict[tuple[str, tuple[str, ...], str, bool], list[str]] = {}
    for way in broken:
        alike.setdefault((way.target, way.ports, way.outcome, way.all_ports), []).append(way.source)
    return [
        f"{fold(sources)} can't reach {target} on {'any port' if everything else port_list(ports)}: "
        f"{_SAID.get(outcome, outcome)}"
        for (target, ports, outcome, everything), sources in alike.items()
    ]


def port_list(ports: Sequence[str]) -> str:
    """Return ports as a person writes them: ``29500-29502, 29504 and an ephemeral port``."""
    numbers = sorted(int(port) for port in ports if port != EPHEMERAL)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    if EPHEMERAL not in ports:
        return text
    return f"{text} and an ephemeral port" if text else "an ephemeral port"


def same_family(addresses: Iterable[str]) -> bool:
    """Return whether all address literals are of one IP version: mixed peers don't find each other."""
    versions = set()
    for text in addresses:
        try:
            versions.add(ipaddress.ip_address(text.split("%")[0]).version)
        except ValueError:
            continue
    return len(versions) < 2
