"""Observation ``outside``: the node as the master sees it without logging in."""

from __future__ import annotations

from dataclasses import replace

from agent.wire.operations import NETPROBE
from agent.wire.preflight import NetprobeArgs, NetprobeResult, ServiceProbe
from fleet.endpoint import endpoint_of
from fleet.fleet import Fleet
from fleet.inventory import Node


async def observe_outside(fleet: Fleet, node: Node) -> NetprobeResult | None:
    """Return the ``netprobe`` of the node by the master's own agent, None for the master itself.

    Raises FleetError.
    """
    if node.kind.is_local:
        return None
    link = await fleet.link(fleet.inventory.master)
    return await link.call(NETPROBE, NetprobeArgs(host=node.address, services=services_of(node)))


def services_of(node: Node) -> list[ServiceProbe]:
    """Return which services the node's transport could use."""
    endpoint = endpoint_of(node)
    probes: list[ServiceProbe] = []
    for number, kind in enumerate(node.kind.members):
        # With several transports, a port in the inventory is most likely that of the first.
        own = endpoint if number == 0 else replace(endpoint, port=None)
        services = kind.check.select(kind.check.services, own) if kind.check is not None else ()
        probes += [
            {
                "transport": kind.name,
                "protocol": service.protocol,
                "scheme": service.scheme,
                "port": service.port,
            }
            for service in services
        ]
    return probes
