"""Reports the ranks that do not join: a rank that waits for others may print nothing for 15 minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from agent.wire.message import Message, message
from fleet.events import Event, Notice, RankPlan
from fleet.runs.options import WatchOptions
from fleet.runs.progress import Progress
from fleet.runs.watch_state import Failure, WatchState
from fleet.runs.whereabouts import own_frame, rank_at

_REMEDY = message(
    "run.not-joined.remedy",
    "see the logs of these ranks, and test the ports between their nodes with `dtui preflight`",
)
#: Phases before a rank has joined; a program may report others.
_PHASES = {
    "": message("run.phase-none", "no output yet"),
    "starting": message("run.phase-starting", "starting"),
    "importing": message("run.phase-importing", "importing"),
    "joining": message("run.phase-joining", "joining"),
}


async def watch_joining(
    ranks: Sequence[RankPlan],
    progress: Progress,
    watch_state: WatchState,
    options: WatchOptions,
    clock: Callable[[], float],
    stacks: Callable[[], Awaitable[object]],
) -> AsyncIterator[Event]:
    """Yield a Notice when ranks are late, and end the run when they are too late.

    ``stacks`` keeps the stacks of all ranks for the user; it is called before the run is ended.

    This covers programs that write phases, and those with a rank at the rendezvous according to its observer:
    a program that starts no process group never joins one.
    """
    noticed = False
    pause = min(1.0, options.join_notice / 5)
    while len(progress.joined) < len(ranks):
        try:
            async with asyncio.timeout(pause):
                await watch_state.over.wait()
            return
        except TimeoutError:
            pass
        begun = max((event.at for event in progress.started.values()), default=None)
        if begun is None or watch_state.failing.is_set() or not (progress.phases or _at_rendezvous(progress)):
            continue
        waited = clock() - begun
        late = _late(ranks, progress)
        if waited >= options.join_notice and late and not noticed:
            noticed = True
            text = _not_joined(waited, ranks, progress, clock())
            yield Notice(at=clock(), level="warning", text=text, remedy=_REMEDY)
        if options.start_timeout is not None and waited >= options.start_timeout and late:
            text = _not_joined(waited, ranks, progress, clock())
            await stacks()
            watch_state.fail(Failure(clock(), text, _REMEDY))
            return


def _at_rendezvous(progress: Progress) -> bool:
    return any(seen.observed["phase"] in ("joining", "joined") for seen in progress.observed.values())


def _not_joined(seconds: float, ranks: Sequence[RankPlan], progress: Progress, now: float) -> Message:
    waiting = [
        seen
        for seen in progress.observed.values()
        if seen.observed["phase"] == "joining" and seen.rank not in progress.joined
    ]
    absent = [
        plan
        for plan in ranks
        if plan.rank not in progress.joined
        and plan.rank not in progress.exited
        and plan.rank not in {seen.rank for seen in waiting}
    ]
    if not absent or not waiting:
        return message(
            "run.not-joined",
            "not joined after {seconds:duration}: {ranks}",
            seconds=seconds,
            ranks=_late(ranks, progress),
        )
    return message(
        "run.not-at-rendezvous",
        "not joined after {seconds:duration}: {ranks:; }; {waiting} waiting at {store}",
        seconds=seconds,
        ranks=[_whereabouts(plan, progress, now) for plan in absent],
        waiting=[message("run.rank", "rank {rank}", rank=seen.rank) for seen in waiting],
        store=sorted({seen.observed["store"] or "?" for seen in waiting}),
    )


def _whereabouts(plan: RankPlan, progress: Progress, now: float) -> Message:
    seen = progress.observed.get(plan.rank)
    frame = own_frame(seen.observed["frames"]) if seen is not None else None
    if seen is None or frame is None:
        return _late_rank(plan, progress)
    return rank_at(plan, seen, frame, now)


def _late(ranks: Sequence[RankPlan], progress: Progress) -> list[Message]:
    """Return ``rank 2 (gpu2, importing)`` for each rank that has not joined."""
    return [
        _late_rank(plan, progress)
        for plan in ranks
        if plan.rank not in progress.joined and plan.rank not in progress.exited
    ]


def _late_rank(plan: RankPlan, progress: Progress) -> Message:
    name = progress.phases.get(plan.rank, "")
    phase = _PHASES.get(name) or Message(name)
    return message(
        "run.late-rank", "rank {rank} ({node}, {phase})", rank=plan.rank, node=plan.node, phase=phase
    )
