"""The master's own address, as the workers see it."""

from __future__ import annotations

import socket

from msgspec.structs import replace

from fleet.addresses import is_loopback
from fleet.inventory.model import Inventory


def with_master_address(inventory: Inventory) -> Inventory:
    """Return the inventory with ``master.address`` filled in: our address on the route to the workers.

    Unchanged when it is set already or no worker's address has a route. A worker behind loopback (a lab's,
    or a tunnel) counts only when all are. Names are looked up (blocking).
    """
    if inventory.master.address:
        return inventory
    sources = (_source_address(worker.address) for worker in inventory.workers if not worker.kind.is_local)
    loopback = ""
    for source in filter(None, sources):
        if not is_loopback(source):
            return _with_address(inventory, source)
        loopback = loopback or source
    return _with_address(inventory, loopback) if loopback else inventory


def _with_address(inventory: Inventory, address: str) -> Inventory:
    return replace(inventory, master=replace(inventory.master, address=address))


def _source_address(host: str) -> str | None:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)  # a datagram socket looks up the route and sends nothing
            return str(probe.getsockname()[0]).split("%")[0]
    except (OSError, UnicodeError):
        return None
