"""The load of nodes as a stream of events, for as long as it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from agent.deltas import Decoder, DeltaError
from fleet.errors import FleetError, LinkLost
from fleet.events import Event, LinkChanged, TelemetrySampled
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.streams import merge

#: Seconds to wait before a lost node is tried again, the last for all further times.
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)


async def watch(
    fleet: Fleet,
    nodes: Sequence[Node] | None = None,
    *,
    interval: float = 1.0,
    count: int | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield TelemetrySampled of all nodes every ``interval`` seconds, ``count`` of each (None: no end).

    A node whose link breaks yields LinkChanged and is tried again; one that refuses us is given up.
    """
    sources: list[AsyncIterator[Event]] = [
        _watch(fleet, node, interval, count) for node in (fleet.nodes if nodes is None else nodes)
    ]
    async with aclosing(merge(*sources)) as events:
        async for event in events:
            yield event


async def _watch(fleet: Fleet, node: Node, interval: float, count: int | None) -> AsyncIterator[Event]:
    failures = 0
    while True:
        try:
            link = await fleet.link(node)
            if failures:
                yield LinkChanged(node=node.name, at=fleet.clock(), state="up", transport=node.transport)
                failures = 0
            decoder = Decoder()  # a new stream begins with a whole sample
            async with link.request("telemetry", **_arguments(fleet, node, interval, count)) as request:
                await request.end()
                async for item in request:
                    sample = decoder.decode(item.body, item.payload)
                    yield TelemetrySampled(node=node.name, at=fleet.clock(), sample=sample)
            return
        except DeltaError as error:
            trouble: FleetError = LinkLost(f"a telemetry sample can't be read: {error}", node=node.name)
        except FleetError as error:
            trouble = error
        yield LinkChanged(
            node=node.name,
            at=fleet.clock(),
            state="lost" if trouble.transient else "failed",
            transport=node.transport,
            detail=trouble.what,
            remedy=trouble.remedy,
        )
        if not trouble.transient:
            return
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1


def _arguments(fleet: Fleet, node: Node, interval: float, count: int | None) -> dict[str, Any]:
    gpus = list(node.gpus) if isinstance(node.gpus, tuple) else node.gpus
    return {
        "interval": interval,
        "count": count,
        "gpus": gpus,
        "master_address": fleet.inventory.master.address,
    }
