"""A copy to one node: its progress as events, and another attempt after a lost link or a change."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing

from agent.wire.message import message
from fleet.deploy.chunks import ChunkSource, SourceChanged
from fleet.deploy.compare import Plan, Target
from fleet.deploy.copy import Progress, copy
from fleet.deploy.pace import Pace
from fleet.deploy.reporter import Reporter
from fleet.deploy.source import Source
from fleet.errors import LinkLost
from fleet.events import Event
from fleet.link.client import AgentClient

Attempt = Callable[[ChunkSource], AsyncGenerator[Event, None]]
Remarks = Callable[[ChunkSource], Iterable[Event]]


async def attempts(
    source: Source, report: Reporter, attempt: Attempt, remarks: Remarks
) -> AsyncGenerator[Event, None]:
    """Yield an attempt's events; attempt it again after a lost link (once) and when a file has changed.

    ``remarks`` are made about each scan of the source. Raises what the attempt raises.
    """
    contents = await source.latest()
    reconnected = False
    while True:
        for event in remarks(contents):
            yield event
        try:
            async with aclosing(attempt(contents)) as steps:
                async for event in steps:
                    yield event
            return
        except LinkLost as lost:
            if reconnected:
                raise
            reconnected = True
            yield report.warning(
                message("deploy.reconnecting", "{why}; reconnecting to resume the deploy", why=lost.what),
            )
        except SourceChanged as changed:
            contents = await source.latest(stale=contents, changed=changed.path)


async def transfer(
    link: AgentClient,
    target: Target,
    plan: Plan,
    contents: ChunkSource,
    report: Reporter,
    *,
    mirror: bool = False,
    origin: str | None = None,
) -> AsyncGenerator[Event, None]:
    """Copy what the plan sends, and yield how far it is."""
    pace = Pace(plan.size, time.monotonic)
    before = report.bytes_sent
    progress = Progress(0, 0)
    async with aclosing(copy(link, target, plan, contents, mirror=mirror, origin=origin)) as steps:
        async for progress in steps:
            report.bytes_sent = before + progress.size
            if pace.advance(progress.size):
                yield report.copied(plan, progress, pace)
    pace.finish(progress.size)
    report.files_sent += len(plan.send)
    yield report.copied(plan, progress, pace)
    report.rate = pace.rate
