"""Observation ``outside``: the node as the master sees it without logging in."""

from __future__ import annotations

from typing import Any

from fleet.fleet import Fleet
from fleet.inventory import Node

_SSH = 22
_WINRM = {"https": 5986, "http": 5985}


async def observe_outside(fleet: Fleet, node: Node) -> dict[str, Any]:
    """Return the agent's ``netprobe`` of the node, asked of the master's own agent; raises FleetError."""
    if node.transport == "local":
        return {"local": True}
    link = await fleet.link(fleet.inventory.master)
    found: dict[str, Any] = await link.call("netprobe", host=node.address, **doors_of(node))
    return found


def doors_of(node: Node) -> dict[str, Any]:
    """Return which doors the node's transport could use: the arguments ``ssh`` and ``winrm``."""
    by_ssh = node.transport in ("ssh", "auto")
    by_winrm = node.transport in ("winrm", "auto")
    wanted = dict(node.options).get("scheme")
    schemes = [scheme for scheme in _WINRM if wanted in (None, scheme)]
    # A port in the inventory is that of the transport; with `auto` nobody can say of which.
    given = node.port if node.transport != "auto" else None
    if given is not None and by_winrm and wanted is None:
        schemes = ["https"] if given == _WINRM["https"] else ["http"]
    return {
        "ssh": (node.port or _SSH) if by_ssh else None,
        "winrm": [[scheme, given or _WINRM[scheme]] for scheme in schemes] if by_winrm else [],
    }
