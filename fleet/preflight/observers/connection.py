"""Observations ``link`` and ``facts``: log in, start the agent, ask what the node is.

The facts come later: a GPU driver that nobody keeps loaded takes seconds to answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from fleet.errors import FleetError, LinkLost, NoAgent, NotConnected
from fleet.events import Event, LinkChanged, NodeProbed
from fleet.facts import own_part
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.preflight.check import Absent
from transports.errors import AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown

_NOT_LET_IN = (AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown)

#: Events as they are told, and observations as pairs of name and value.
Findings = AsyncGenerator[Event | tuple[str, dict[str, Any] | Absent], None]


async def observe_link(fleet: Fleet, node: Node) -> Findings:
    """Yield the link's changes, and ``link``: with the node's clock, and its address on the way to us."""
    yield LinkChanged(node=node.name, at=fleet.clock(), state="connecting", transport=node.transport)
    try:
        link = await fleet.link(node)
        begun, sent = time.monotonic(), fleet.clock()
        answer = await link.call("ping")
        seconds = time.monotonic() - begun
        route = await link.call("route", master_address=fleet.inventory.master.address)
    except FleetError as error:
        yield _gone(fleet, node, error)
        yield (
            "link",
            {
                "state": "failed",
                "broken": _broken(error),
                "cause": type(error.__cause__).__name__ if error.__cause__ else "",
                "what": error.what,
                "remedy": error.remedy,
            },
        )
        return
    yield LinkChanged(
        node=node.name, at=fleet.clock(), state="up", transport=node.transport, latency_ms=seconds * 1000
    )
    yield (
        "link",
        {
            "state": "up",
            "hello": link.hello,
            "latency_ms": seconds * 1000,
            # The node's clock was read some time between our sending and hearing of it.
            "clock": {"offset": answer["time"] - (sent + seconds / 2), "doubt": seconds / 2},
            "source": route["source"],
        },
    )


async def observe_facts(fleet: Fleet, node: Node) -> Findings:
    """Yield NodeProbed and ``facts`` of a node whose link is up, or LinkChanged when it breaks."""
    try:
        link = await fleet.link(node)
        told = await link.call("probe", project=node.project, master_address=fleet.inventory.master.address)
    except FleetError as error:
        yield _gone(fleet, node, error)
        yield "facts", Absent(error.what, error.remedy)
        return
    facts = own_part(node, told)
    yield NodeProbed(node=node.name, at=fleet.clock(), facts=facts)
    yield "facts", facts


def _gone(fleet: Fleet, node: Node, error: FleetError) -> LinkChanged:
    return LinkChanged(
        node=node.name,
        at=fleet.clock(),
        state="lost" if isinstance(error, LinkLost) else "failed",
        transport=node.transport,
        detail=error.what,
        remedy=error.remedy,
    )


def _broken(error: FleetError) -> str:
    """Return which link of the chain reach, login, python, agent the error belongs to."""
    if isinstance(error, NotConnected):
        return "login" if isinstance(error.__cause__, _NOT_LET_IN) else "reach"
    if isinstance(error, NoAgent):
        return "python"
    return "agent"
