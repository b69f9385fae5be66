"""Observations ``link`` and ``facts``: log in, start the agent, ask what the node is."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

from fleet.errors import FleetError, NoAgent, NotConnected
from fleet.events import Event, LinkChanged, NodeProbed
from fleet.facts import own_part
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.preflight.check import Absent
from transports.errors import AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown

_NOT_LET_IN = (AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown)


async def observe_connection(
    fleet: Fleet, node: Node
) -> AsyncGenerator[Event | tuple[str, dict[str, Any] | Absent], None]:
    """Yield the link's changes and the node's facts as events, and both observations as pairs."""
    yield LinkChanged(node=node.name, at=fleet.clock(), state="connecting", transport=node.transport)
    try:
        link = await fleet.link(node)
        begun, sent = time.monotonic(), fleet.clock()
        answer = await link.call("ping")
        seconds = time.monotonic() - begun
        facts = own_part(
            node,
            await link.call("probe", project=node.project, master_address=fleet.inventory.master.address),
        )
    except FleetError as error:
        yield LinkChanged(
            node=node.name,
            at=fleet.clock(),
            state="failed",
            transport=node.transport,
            detail=error.what,
            remedy=error.remedy,
        )
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
    yield NodeProbed(node=node.name, at=fleet.clock(), facts=facts)
    yield (
        "link",
        {
            "state": "up",
            "hello": link.hello,
            "latency_ms": seconds * 1000,
            # The node's clock was read some time between our sending and hearing of it.
            "clock": {"offset": answer["time"] - (sent + seconds / 2), "doubt": seconds / 2},
        },
    )
    yield "facts", facts


def _broken(error: FleetError) -> str:
    """Return which link of the chain reach, login, python, agent the error belongs to."""
    if isinstance(error, NotConnected):
        return "login" if isinstance(error.__cause__, _NOT_LET_IN) else "reach"
    if isinstance(error, NoAgent):
        return "python"
    return "agent"
