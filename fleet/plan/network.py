"""The rendezvous address, the network adapter and the backend of a run."""

from __future__ import annotations

from collections.abc import Sequence

from agent.wire.facts import AdapterFacts
from agent.wire.message import message
from agent.wire.text import quote
from fleet.addresses import ip_address, is_loopback
from fleet.inventory import Fault, Inventory
from fleet.nodeset import fold
from fleet.plan.shares import Share


def backend_of(wanted: str, shares: Sequence[Share], faults: list[Fault]) -> str:
    """Return ``nccl`` when every node is Linux with GPUs, else ``gloo``, unless one of them is ``wanted``."""
    unable = [share.node.name for share in shares if share.system != "Linux" or not share.gpus]
    if wanted == "nccl" and unable:
        faults.append(
            Fault(
                message("plan.nccl", "the nccl backend needs Linux and a GPU on every node"),
                message("plan.nccl.remedy", "set `backend: auto` under `run`"),
                key=fold(unable),
            )
        )
    if wanted != "auto":
        return wanted
    return "gloo" if unable else "nccl"


def master_address_of(inventory: Inventory, shares: Sequence[Share], faults: list[Fault]) -> str:
    """Return the address literal by which every node reaches rank 0's node, which is the first share's.

    In this order: that of the inventory; the master's address on its adapter towards the workers;
    127.0.0.1 when no node is anywhere else.
    """
    first = shares[0]
    address = first.node.address
    if first.node is inventory.master and not address:
        address = next((own for adapter in _towards(first) for own in _usable(adapter)), "")
    elsewhere = [share.node.name for share in shares[1:] if not is_loopback(share.node.address)]
    if not address and not elsewhere:
        return "127.0.0.1"
    if not address:
        problem = message(
            "plan.address-unknown", "the address at which the other nodes reach this node is unknown"
        )
    elif ip_address(address) is None:
        problem = message(
            "plan.address-name",
            "its address {address!r} is a name, which different nodes may resolve to different machines",
            address=address,
        )
    elif is_loopback(address) and elsewhere:
        problem = message(
            "plan.address-loopback",
            "its address {address} cannot be reached from {nodes}",
            address=address,
            nodes=fold(elsewhere),
        )
    else:
        return address
    if first.node is inventory.master:
        remedy = message("plan.master-address.remedy", "write its IP address as `address` of `master`")
    else:
        remedy = message("plan.node-address.remedy", "write its IP address as its `address`")
    faults.append(Fault(problem, remedy, key=first.node.name))
    return address


def interface_of(share: Share, master_address: str, is_first: bool, faults: list[Fault]) -> str | None:
    """Return the adapter for a node's ranks: the one given, or that leads to rank 0; None when unknown."""
    adapters = _adapters(share)
    given = share.node.interface
    if given is not None:
        if adapters and given not in [adapter["name"] for adapter in adapters]:
            faults.append(
                Fault(
                    message(
                        "plan.no-adapter",
                        "network adapter {name!r} was not found; available: {adapters}",
                        name=given,
                        adapters=[quote(adapter["name"]) for adapter in adapters],
                    ),
                    message("plan.no-adapter.remedy", "correct `interface`"),
                    key=share.node.name,
                )
            )
        return given
    own = master_address if is_first else share.node.address
    candidates = [adapter for adapter in adapters if _owns(adapter, own)]
    # The adapter towards the master is found by the route itself, so it is right behind NAT too.
    if not is_first:
        candidates = _towards(share) or candidates
    return candidates[0]["name"] if candidates else None


def _adapters(share: Share) -> list[AdapterFacts]:
    return [adapter for adapter in share.facts["adapters"] if adapter["name"]]


def _towards(share: Share) -> list[AdapterFacts]:
    return [adapter for adapter in _adapters(share) if adapter["routes_to_master"]]


def _usable(adapter: AdapterFacts) -> list[str]:
    """Return the adapter's addresses, IPv4 first; link-local ones need a zone and are left out."""
    addresses = [ip for text in adapter["addresses"] if (ip := ip_address(text)) is not None]
    return [str(ip) for ip in sorted(addresses, key=lambda ip: ip.version) if not ip.is_link_local]


def _owns(adapter: AdapterFacts, address: str) -> bool:
    wanted = ip_address(address)
    if wanted is None:
        return False
    own = [ip for text in adapter["addresses"] if (ip := ip_address(text)) is not None]
    return wanted in own or (wanted.is_loopback and any(ip.is_loopback for ip in own))
