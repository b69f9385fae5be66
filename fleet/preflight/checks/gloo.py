"""Which of two nodes opens gloo's connection between them, where that is certain.

Both ranks of a pair listen and publish their addresses, and the one with the higher address connects,
regardless of the rank (``isInitiator`` in gloo's tcp transport, ``Device::connect`` in its uv transport,
which Windows has). So a pair that is blocked in one direction works if gloo connects in the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.addresses import IpAddress, ip_address
from fleet.facts import system_of
from fleet.plan import RunPlan
from fleet.preflight.check import Subject
from fleet.preflight.checks.run_plan import plan_of
from fleet.preflight.observations import FACTS, MESH


def published(subject: Subject) -> Mapping[str, IpAddress]:
    """Return node -> the address that its gloo ranks publish, for the nodes where that is certain.

    Empty when the run may use another backend than gloo: NCCL connects in both directions.
    """
    return subject.once(_published)


def connects(source: str, target: str, addresses: Mapping[str, IpAddress]) -> bool | None:
    """Return whether ``source`` opens the connection to ``target``; None when that is not certain."""
    here, there = addresses.get(source), addresses.get(target)
    if here is None or there is None or here.version != there.version or here == there:
        return None
    return int(here) > int(there)


def _published(subject: Subject) -> dict[str, IpAddress]:
    plan = plan_of(subject)
    if not isinstance(plan, RunPlan) or not _is_surely_gloo(plan, subject):
        return {}
    found = {part.node: _only_address(subject, part.node, part.interface) for part in plan.nodes}
    return {node: address for node, address in found.items() if address is not None}


def _is_surely_gloo(plan: RunPlan, subject: Subject) -> bool:
    """Return whether the program cannot choose NCCL instead: on CPUs, or with Windows nodes."""
    nowhere = not any(part.gpus for part in plan.nodes)
    windows = any(system_of(subject.of(part.node, FACTS)) == "Windows" for part in plan.nodes)
    return plan.backend == "gloo" and (plan.cpu or nowhere or windows)


def _only_address(subject: Subject, node: str, interface: str | None) -> IpAddress | None:
    """Return the adapter's address if gloo cannot choose another, and if it is the one that was tested."""
    mesh, facts = subject.of(node, MESH), subject.of(node, FACTS)
    if mesh is None or facts is None or not interface:
        return None
    adapter = next((one for one in facts["adapters"] if one["name"] == interface), None)
    listed = [ip_address(text) for text in adapter["addresses"]] if adapter else []
    addresses = [address for address in listed if address is not None]
    if system_of(facts) == "Linux":
        # The system lists an adapter's IPv4 addresses first; Windows may begin with IPv6.
        addresses = [one for one in addresses if one.version == 4]
    if len(addresses) == 1 and str(addresses[0]) == mesh["address"]:
        return addresses[0]
    return None
