"""The checks that everything else stands on: reach, login, Python, agent.

They are one chain: the first that fails explains why those after it could not be made.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from fleet.errors import FleetError, NoAgent, NotConnected
from fleet.events import CheckFinished, Event, LinkChanged, NodeProbed
from fleet.fleet import Fleet
from fleet.inventory import Node
from transports.errors import AuthenticationFailed, HostKeyChanged, HostKeyUnknown

CHAIN = ("reach", "login", "python", "agent")

_WHY = {
    "reach": "without a connection to the node nothing can be put on it or started there",
    "login": "dtui does everything on a node as the user that it logs in as",
    "python": "dtui's helper on the node is a Python program; it needs 3.9 or newer",
    "agent": "the helper copies files, starts ranks and reads their logs",
}


async def check_connection(fleet: Fleet, node: Node) -> AsyncGenerator[Event, None]:
    """Yield the link's changes, the node's facts, and one CheckFinished for each link of the chain."""

    def result(check: str, status: str, seen: str, remedy: str = "") -> CheckFinished:
        return CheckFinished(
            node=node.name,
            at=fleet.clock(),
            check=check,
            status=status,
            seen=seen,
            why=_WHY[check],
            remedy=remedy,
        )

    yield LinkChanged(node=node.name, at=fleet.clock(), state="connecting", transport=node.transport)
    try:
        link = await fleet.link(node)
        started = time.monotonic()
        await link.call("ping")
        latency = (time.monotonic() - started) * 1000
        facts = await link.call("probe", project=node.project, master_address=fleet.inventory.master.address)
    except FleetError as error:
        yield LinkChanged(
            node=node.name,
            at=fleet.clock(),
            state="failed",
            transport=node.transport,
            detail=error.what,
            remedy=error.remedy,
        )
        failed = _broken_link(error)
        for place, check in enumerate(CHAIN):
            if place < CHAIN.index(failed):
                yield result(check, "ok", "works")
            elif check == failed:
                yield result(check, "fail", error.what, error.remedy)
            else:
                yield result(check, "skip", f"not checked, since `{failed}` failed")
        return
    yield LinkChanged(
        node=node.name, at=fleet.clock(), state="up", transport=node.transport, latency_ms=latency
    )
    yield NodeProbed(node=node.name, at=fleet.clock(), facts=facts)
    where = "this machine" if node.transport == "local" else f"{node.transport} to {node.address}"
    yield result("reach", "ok", where)
    yield result("login", "ok", f"as {node.user}" if node.user else "works")
    yield result("python", "ok", f"{link.hello['python']} at {link.hello['executable']}")
    yield result("agent", "ok", f"answers in {latency:.0f} ms")


def _broken_link(error: FleetError) -> str:
    """Return which check of the chain the error belongs to."""
    if isinstance(error, NotConnected):
        refused = isinstance(error.__cause__, (AuthenticationFailed, HostKeyChanged, HostKeyUnknown))
        return "login" if refused else "reach"
    if isinstance(error, NoAgent):
        return "python"
    return "agent"
