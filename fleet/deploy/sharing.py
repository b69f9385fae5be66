"""Nodes that share a folder: the deploy copies to the first that it reaches, and the others wait for that."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from agent.wire.message import Message, message
from fleet.deploy.reporter import Reporter
from fleet.deploy.source import Source
from fleet.errors import FleetError, InvalidAnswer
from fleet.events import Event
from fleet.inventory import Node


def shares(other: str) -> Message:
    """Return that a node shares the folder of another one."""
    return message("deploy.shares", "shares the folder of {node}", node=other)


async def wait_for_sharer(
    source: Source, node: Node, other: str, report: Reporter
) -> AsyncGenerator[Event, None]:
    """Wait until the source has been copied to ``other``; raises FleetError when that fails."""
    if other not in source.nodes or other == node.name:
        reason = message("deploy.answer-shares", "it shares the folder of {node!r}", node=other)
        raise InvalidAnswer("manifest", reason, node=node.name)
    yield report.running(shares(other))
    if not await source.finished(other):
        raise FleetError(
            message("deploy.shares-failed", "{node}, whose folder it shares, failed", node=other),
            remedy=message("deploy.shares-failed.remedy", "see the error of {node}", node=other),
        )
    yield report.done(shares(other))
