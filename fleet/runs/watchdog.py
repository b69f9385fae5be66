"""Names the ranks that do not join: a rank that waits for others can be silent for a quarter of an hour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from fleet.events import Event, Notice, RankPlan
from fleet.runs.gang import Failure, Gang
from fleet.runs.options import WatchOptions
from fleet.runs.progress import Progress

_REMEDY = "look at their logs; run the preflight's port check between these nodes"


async def watch_joining(
    ranks: Sequence[RankPlan],
    progress: Progress,
    gang: Gang,
    options: WatchOptions,
    clock: Callable[[], float],
) -> AsyncIterator[Event]:
    """Yield a Notice when ranks are late, and end the run when they are too late.

    A program that writes no phases is left alone: nobody can tell where it is.
    """
    told = False
    pause = min(1.0, options.join_notice / 5)
    while len(progress.joined) < len(ranks):
        try:
            async with asyncio.timeout(pause):
                await gang.over.wait()
            return
        except TimeoutError:
            pass
        begun = max((event.at for event in progress.started.values()), default=None)
        if begun is None or gang.failing.is_set() or not progress.phases:
            continue
        waited = clock() - begun
        late = _describe(ranks, progress)
        if waited >= options.join_notice and late and not told:
            told = True
            yield Notice(
                at=clock(), level="warning", text=f"not joined after {waited:.0f} s: {late}", remedy=_REMEDY
            )
        if options.start_timeout is not None and waited >= options.start_timeout and late:
            gang.fail(Failure(clock(), f"not joined after {waited:.0f} s: {late}", _REMEDY))
            return


def _describe(ranks: Sequence[RankPlan], progress: Progress) -> str:
    """Return ``rank 2 (gpu2, importing), rank 3 (gpu2, no sign yet)`` for those that have not joined."""
    return ", ".join(
        f"rank {plan.rank} ({plan.node}, {progress.phases.get(plan.rank, 'no sign yet')})"
        for plan in ranks
        if plan.rank not in progress.joined and plan.rank not in progress.exited
    )
