"""Where the ranks meet, over which adapter, and in which language."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from fleet.inventory import Fault, Inventory
from fleet.nodeset import fold
from fleet.plan.shares import Share


def backend_of(wanted: str, shares: Sequence[Share], faults: list[Fault]) -> str:
    """Return ``nccl`` when every node is Linux with GPUs, else ``gloo``, unless one of them is ``wanted``."""
    unable = [share.node.name for share in shares if share.system != "Linux" or not share.gpus]
    if wanted == "nccl" and unable:
        faults.append(
            Fault(
                "can't use nccl, which needs Linux and a GPU on every node",
                "write `backend: auto` in `run`",
                key=fold(unable),
            )
        )
    if wanted != "auto":
        return wanted
    return "gloo" if unable else "nccl"


def master_address_of(inventory: Inventory, shares: Sequence[Share], faults: list[Fault]) -> str:
    """Return the address literal by which every node reaches rank 0's node, which is the first share's.

    In this order: as the inventory says; the master's address on its adapter towards the workers;
    127.0.0.1 when no node is anywhere else.
    """
    first = shares[0]
    address = first.node.address
    if first.node is inventory.master and not address:
        address = next((own for adapter in _towards(first) for own in _usable(adapter)), "")
    elsewhere = [share.node.name for share in shares[1:] if not _is_loopback(share.node.address)]
    if not address and not elsewhere:
        return "127.0.0.1"
    where = "`address` of `master`" if first.node is inventory.master else "its `address`"
    if not address:
        problem = "by which address the others reach it is not known"
    elif not _is_literal(address):
        problem = f"its address {address!r} is a name, which may mean different machines to different nodes"
    elif _is_loopback(address) and elsewhere:
        problem = f"its address {address} can't be reached by {fold(elsewhere)}"
    else:
        return address
    faults.append(Fault(problem, f"write its IP address as {where}", key=first.node.name))
    return address


def interface_of(share: Share, master_address: str, is_first: bool, faults: list[Fault]) -> str | None:
    """Return the adapter for a node's ranks: the one given, or that leads to rank 0; None when unknown."""
    adapters = _adapters(share)
    given = share.node.interface
    if given is not None:
        if adapters and given not in [adapter["name"] for adapter in adapters]:
            names = ", ".join(repr(adapter["name"]) for adapter in adapters)
            faults.append(
                Fault(
                    f"there is no adapter {given!r}; it has: {names}",
                    "correct `interface`",
                    key=share.node.name,
                )
            )
        return given
    own = master_address if is_first else share.node.address
    candidates = [adapter for adapter in adapters if _owns(adapter, own)]
    # What leads to the master is asked of the route itself, so it is right behind NAT too.
    if not is_first:
        candidates = _towards(share) or candidates
    return str(candidates[0]["name"]) if candidates else None


def _adapters(share: Share) -> list[dict[str, Any]]:
    return [adapter for adapter in share.facts.get("adapters") or () if adapter.get("name")]


def _towards(share: Share) -> list[dict[str, Any]]:
    return [adapter for adapter in _adapters(share) if adapter.get("routes_to_master")]


def _usable(adapter: dict[str, Any]) -> list[str]:
    """Return the adapter's addresses, IPv4 first; link-local ones need a zone and are left out."""
    addresses = [ipaddress.ip_address(text.split("%")[0]) for text in adapter.get("addresses") or ()]
    return [str(ip) for ip in sorted(addresses, key=lambda ip: ip.version) if not ip.is_link_local]


def _owns(adapter: dict[str, Any], address: str) -> bool:
    if not _is_literal(address):
        return False
    wanted = ipaddress.ip_address(address)
    own = [ipaddress.ip_address(text.split("%")[0]) for text in adapter.get("addresses") or ()]
    return wanted in own or (wanted.is_loopback and any(ip.is_loopback for ip in own))


def _is_literal(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _is_loopback(address: str) -> bool:
    if _is_literal(address):
        return ipaddress.ip_address(address).is_loopback
    return address in ("", "localhost")
