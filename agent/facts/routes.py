"""Which of our addresses would talk to a peer: asked from the system's routing, nothing is sent."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any, Dict, List, Optional

#: Addresses for documentation: nobody has them, so the answer is the default route.
_ANYWHERE = ("192.0.2.1", "2001:db8::1")
_RESOLVE_SECONDS = 2.0


def mark_routes(adapters: List[Dict[str, Any]], master: str) -> Dict[str, Any]:
    """Set ``addresses``, ``routes_to_master`` and ``default_route`` of each adapter.

    Returns ``{"master", "master_ip", "source"}``: the address as given, as resolved, and ours that
    talks to it; None where unknown.
    """
    target = resolve(master) if master else None
    source = source_address(target) if target else None
    outward = next((found for found in map(source_address, _ANYWHERE) if found), None)
    for adapter in adapters:
        interfaces = adapter.pop("interfaces")
        adapter["addresses"] = [interface.split("/")[0] for interface in interfaces]
        adapter["routes_to_master"] = owns(interfaces, source) if source else None
        adapter["default_route"] = owns(interfaces, outward) if outward else False
    return {"master": master or None, "master_ip": target, "source": source}


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
    """Return our address on the way to ``target``, None without a route."""
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


def towards_master(adapters: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return the adapter that routes to the master, else that of the default route."""
    for key in ("routes_to_master", "default_route"):
        for adapter in adapters:
            if adapter[key]:
                return adapter
    return None
