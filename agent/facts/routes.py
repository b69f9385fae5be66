"""Which of our addresses would talk to a peer: asked from the system's routing, nothing is sent."""

from __future__ import annotations

import ipaddress
import socket
import threading
from dataclasses import dataclass
from typing import List, Optional, Tuple

from agent.wire.facts import AdapterFacts, RouteFacts

#: Addresses for documentation, which no host has, so the answer is the default route.
_ANYWHERE = ("192.0.2.1", "2001:db8::1")
_RESOLVE_SECONDS = 2.0


@dataclass
class Adapter:
    """A network adapter as the system lists it; ``interfaces`` are ``address/prefix``."""

    name: str
    index: int
    description: Optional[str]
    interfaces: List[str]
    up: bool
    loopback: bool
    speed_mbps: Optional[int]
    wireless: bool


def routed(adapters: List[Adapter], master: str) -> Tuple[List[AdapterFacts], RouteFacts]:
    """Return the adapters with the routes that they carry, and the route to the master."""
    target = resolve(master) if master else None
    source = source_address(target) if target else None
    outward = next((found for found in map(source_address, _ANYWHERE) if found), None)
    facts: List[AdapterFacts] = [
        {
            "name": adapter.name,
            "index": adapter.index,
            "description": adapter.description,
            "up": adapter.up,
            "loopback": adapter.loopback,
            "speed_mbps": adapter.speed_mbps,
            "wireless": adapter.wireless,
            "addresses": [interface.split("/")[0] for interface in adapter.interfaces],
            "routes_to_master": owns(adapter.interfaces, source) if source else None,
            "default_route": owns(adapter.interfaces, outward) if outward else False,
        }
        for adapter in adapters
    ]
    return facts, {"master": master or None, "master_ip": target, "source": source}


def resolve(host: str) -> Optional[str]:
    """Return the host's first address; a name server that does not answer costs 2 s at most."""
    try:
        return str(ipaddress.ip_address(host.split("%")[0]))
    except ValueError:
        pass
    answers: List[str] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            return
        answers.extend(str(answer[4][0]) for answer in found)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_RESOLVE_SECONDS)
    return answers[0] if answers else None


def source_address(target: str) -> Optional[str]:
    """Return our address on the route to ``target``, None without a route."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))  # of a datagram socket: looks up the route, sends nothing
            return str(probe.getsockname()[0]).split("%")[0]
    except OSError:
        return None


def owns(interfaces: List[str], address: str) -> bool:
    """Return whether one of the adapter's ``address/prefix`` is this address (all of 127/8 is loopback)."""
    wanted = ipaddress.ip_address(address)
    for text in interfaces:
        interface = ipaddress.ip_interface(text)
        if interface.ip == wanted or (wanted.is_loopback and wanted in interface.network):
            return True
    return False


def towards_master(adapters: List[AdapterFacts]) -> Optional[AdapterFacts]:
    """Return the adapter that routes to the master, else that of the default route."""
    ranked = [adapter for adapter in adapters if adapter["routes_to_master"]]
    ranked += [adapter for adapter in adapters if adapter["default_route"]]
    return ranked[0] if ranked else None
