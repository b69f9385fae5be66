"""Observations ``link`` and ``facts``: log in, start the agent, and probe the node.

The facts come later: a GPU driver that is not kept loaded takes seconds to respond.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.wire.facts import RouteArgs
from agent.wire.message import Message, message
from agent.wire.operation import Nothing
from agent.wire.operations import PING, PROBE, ROUTE
from fleet.addresses import ip_address
from fleet.errors import FleetError, InvalidAnswer, LinkLost, NoAgent, NotConnected
from fleet.events import Event, LinkChanged, NodeProbed
from fleet.facts import own_part, probe_args
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.preflight.observations import Absent, ChainLink, ClockReading, LinkFailed, LinkUp, absent
from transports.errors import AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown

_LOGIN_REJECTED = (AuthenticationFailed, CertificateRejected, HostKeyChanged, HostKeyUnknown)


async def observe_link(fleet: Fleet, node: Node) -> AsyncGenerator[Event | LinkUp | LinkFailed, None]:
    """Yield the link's changes, and last its state."""
    try:
        async with aclosing(fleet.connecting(node)) as waits:
            async for wait in waits:
                yield wait
        link = await fleet.link(node)
        begun, sent = time.monotonic(), fleet.clock()
        answer = await link.call(PING, Nothing())
        seconds = time.monotonic() - begun
        route = await link.call(ROUTE, RouteArgs(master_address=fleet.inventory.master.address))
        if route["source"] is not None and ip_address(route["source"]) is None:
            raise InvalidAnswer(
                "route",
                message("preflight.route-not-address", "`source` is not an IP address"),
                node=node.name,
            )
        if link.hello is None:
            raise NoAgent(message("preflight.no-hello", "the agent sent no hello"), node=node.name)
    except FleetError as error:
        yield _disconnected(fleet, node, error)
        cause = type(error.__cause__).__name__ if error.__cause__ else ""
        yield LinkFailed(failed_step=_failed_step(error), cause=cause, what=error.what, remedy=error.remedy)
        return
    yield LinkChanged(
        node=node.name, at=fleet.clock(), state="up", transport=node.transport, latency_ms=seconds * 1000
    )
    yield LinkUp(
        hello=link.hello,
        latency_ms=seconds * 1000,
        # The node's clock was read between the request and its answer.
        clock=ClockReading(offset=answer["time"] - (sent + seconds / 2), uncertainty=seconds / 2),
        source=route["source"],
    )


async def observe_facts(fleet: Fleet, node: Node) -> AsyncGenerator[LinkChanged | NodeProbed | Absent, None]:
    """Yield NodeProbed for a node whose link is up; LinkChanged and Absent when it breaks."""
    try:
        link = await fleet.link(node)
        facts = own_part(node, await link.call(PROBE, probe_args(node, fleet.inventory)))
    except FleetError as error:
        yield _disconnected(fleet, node, error)
        yield absent(error, Message("`probe`"))
        return
    yield NodeProbed(node=node.name, at=fleet.clock(), facts=facts)


def _disconnected(fleet: Fleet, node: Node, error: FleetError) -> LinkChanged:
    return LinkChanged(
        node=node.name,
        at=fleet.clock(),
        state="lost" if isinstance(error, LinkLost) else "failed",
        transport=node.transport,
        detail=error.what,
        remedy=error.remedy,
    )


def _failed_step(error: FleetError) -> ChainLink:
    """Return which link of the chain reach, login, python, agent the error belongs to."""
    if isinstance(error, NotConnected):
        return "login" if isinstance(error.__cause__, _LOGIN_REJECTED) else "reach"
    if isinstance(error, NoAgent):
        return "python"
    return "agent"
