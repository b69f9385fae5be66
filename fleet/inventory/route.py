"""The master's own address, as the workers see it."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket

from fleet.inventory.model import Inventory


def with_master_address(inventory: Inventory) -> Inventory:
    """Return the inventory with ``master.address`` filled in: our address on the way to the workers.

    Unchanged when it is set already or no worker's address has a route. A worker behind loopback (a lab's,
    or a tunnel) counts only when all are. Names are looked up (blocking).
    """
    if inventory.master.address:
        return inventory
    sources = (_source_address(worker.address) for worker in inventory.workers if worker.transport != "local")
    loopback = ""
    for source in filter(None, sources):
        if not ipaddress.ip_address(source).is_loopback:
            return _with_address(inventory, source)
        loopback = loopback or source
    return _with_address(inventory, loopback) if loopback else inventory


def _with_address(inventory: Inventory, address: str) -> Inventory:
    return dataclasses.replace(inventory, master=dataclasses.replace(inventory.master, address=address))


def _source_address(host: str) -> str | None:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)  # of a datagram socket: looks up the route, sends nothing
            return str(probe.getsockname()[0]).split("%")[0]
    except (OSError, UnicodeError):
        return None
