"""The load of nodes as a stream of events, while it is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from agent.deltas import Decoder, DeltaError
from agent.wire.decode import WireError, decode
from agent.wire.message import Message, message
from agent.wire.operations import TELEMETRY
from agent.wire.telemetry import Sample, TelemetryArgs
from fleet.errors import FleetError, InvalidAnswer
from fleet.events import Event, LinkChanged, TelemetrySampled
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.streams import merge

#: Seconds to wait before a lost node is tried again, the last for all further times.
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
#: Samples that may arrive early after a delay of the link.
_EARLY = 20
#: Consecutive failures after which a watch of a fixed number of samples drops a node.
_MOST_FAILURES = 3


async def watch(
    fleet: Fleet,
    nodes: Sequence[Node] | None = None,
    *,
    interval: float = 1.0,
    count: int | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield TelemetrySampled of all nodes every ``interval`` seconds, ``count`` of each (None: no end).

    A node whose link breaks yields LinkChanged and is tried again; one that rejects the login is not.
    """
    sources: list[AsyncIterator[Event]] = [
        fleet.contained(node, _watch(fleet, node, interval, count), f"telemetry of {node.name}")
        for node in (fleet.nodes if nodes is None else nodes)
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
            begun, taken = time.monotonic(), 0
            decoder = Decoder()  # a new stream starts with a whole sample
            args = _arguments(fleet, node, interval, count)
            async with link.request(TELEMETRY, args, silence=_silence(interval)) as request:
                await request.end()
                async for item in request:
                    sample = decode(Sample, decoder.decode(item.body, item.payload))
                    failures = 0
                    taken += 1
                    if taken > _EARLY + 2 * (time.monotonic() - begun) / interval:
                        reason = message("answer.more-samples", "more samples than requested")
                        raise InvalidAnswer("telemetry", reason, node=node.name)
                    yield TelemetrySampled(node=node.name, at=fleet.clock(), sample=sample)
                    if taken == count:
                        return
            return
        except (DeltaError, WireError) as error:
            trouble: FleetError = InvalidAnswer("telemetry", Message(str(error)), node=node.name)
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
        failures += 1
        if not trouble.transient or (count is not None and failures == _MOST_FAILURES):
            return
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES)) - 1])


def _silence(interval: float) -> float:
    """Return how long a node may send no sample: three intervals, and what opening a GPU's driver takes."""
    return 3 * interval + 25.0


def _arguments(fleet: Fleet, node: Node, interval: float, count: int | None) -> TelemetryArgs:
    gpus = list(node.gpus) if isinstance(node.gpus, tuple) else node.gpus
    return {
        "interval": interval,
        "count": count,
        "gpus": gpus,
        "master_address": fleet.inventory.master.address,
    }
