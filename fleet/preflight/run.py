"""Run all checks on all nodes at once and tell each result as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.preflight.connection import check_connection
from fleet.streams import merge


async def preflight(fleet: Fleet, nodes: Sequence[Node]) -> AsyncGenerator[Event, None]:
    """Yield CheckFinished events (and the links' LinkChanged and NodeProbed) for every node."""
    async for event in merge(*(check_connection(fleet, node) for node in nodes)):
        yield event
