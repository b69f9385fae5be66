"""Which of two nodes opens gloo's connection between them, where that can be told.

Both ranks of a pair listen and publish their addresses, and the one with the higher address connects,
whichever rank it is (``isInitiator`` in gloo's tcp transport, ``Device::connect`` in its uv transport, which
Windows has). So a pair that is closed in one direction works if that is the other one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from fleet.plan import RunPlan
from fleet.preflight.check import Subject
from fleet.preflight.judges.environment import plan_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def published(subject: Subject) -> Mapping[str, Address]:
    """Return node -> the address that its gloo ranks publish, for those nodes of which that is certain.

    Empty when something else than gloo may carry the run: NCCL connects both ways.
    """
    found: Mapping[str, Address] = subject.once("gloo", lambda: _published(subject))
    return found


def connects(source: str, target: str, addresses: Mapping[str, Address]) -> bool | None:
    """Return whether ``source`` opens the connection to ``target``; None when that can't be told."""
    here, there = addresses.get(source), addresses.get(target)
    if here is None or there is None or here.version != there.version or here == there:
        return None
    return int(here) > int(there)


def _published(subject: Subject) -> dict[str, Address]:
    plan = plan_of(subject)
    if not isinstance(plan, RunPlan) or not _is_surely_gloo(plan, subject):
        return {}
    found = {part.node: _only_address(subject, part.node, part.interface) for part in plan.nodes}
    return {node: address for node, address in found.items() if address is not None}


def _is_surely_gloo(plan: RunPlan, subject: Subject) -> bool:
    """Return whether even a program that chooses for itself has no NCCL: on a CPU, or with Windows nodes."""
    nowhere = not any(part.gpus for part in plan.nodes)
    windows = any(_system(subject, part.node) == "Windows" for part in plan.nodes)
    return plan.backend == "gloo" and (plan.cpu or nowhere or windows)


def _only_address(subject: Subject, node: str, interface: str | None) -> Address | None:
    """Return the adapter's address if gloo can choose no other, and if it is the one that was tried."""
    mesh, facts = subject.of(node, "mesh") or {}, subject.of(node, "facts") or {}
    adapter: Mapping[str, Any] = next(
        (one for one in facts.get("adapters") or () if interface and one.get("name") == interface), {}
    )
    addresses = [ipaddress.ip_address(text.split("%")[0]) for text in adapter.get("addresses") or ()]
    if _system(subject, node) == "Linux":
        # The system lists an adapter's IPv4 addresses first; Windows may begin with IPv6.
        addresses = [one for one in addresses if one.version == 4]
    if len(addresses) == 1 and str(addresses[0]) == mesh.get("address"):
        return addresses[0]
    return None


def _system(subject: Subject, node: str) -> str:
    facts = subject.of(node, "facts") or {}
    return str((facts.get("os") or {}).get("system") or "")
