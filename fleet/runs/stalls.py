"""Reports a run that makes no progress any more: which rank stopped, and on which line.

A rank counts as stopped only if its main thread stays at one place and its processes use neither CPU nor
disk. So a long compilation, an evaluation on one rank, a large checkpoint and a slow first batch are none.
Output does not count: a thread may print a line per minute while the training has stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from agent.wire.message import Message, message
from agent.wire.runs import RankStacks
from fleet.events import Event, MetricsSeen, Notice, RankPlan
from fleet.runs.options import WatchOptions
from fleet.runs.progress import Progress
from fleet.runs.stacks import LastCollective, last_collective
from fleet.runs.watch_state import Failure, RankObserved, WatchState
from fleet.runs.whereabouts import own_frame, place, rank_at

#: A run may take so many times longer than between any two of its steps so far.
_TOLERANCE = 5.0
_LONGEST_BUDGET = 3600.0
#: Seconds for which a stopped rank must have been idle, at least and at most.
_LEAST_IDLE, _MOST_IDLE = 2.0, 30.0
#: Seconds until a run that looks as if it had stopped, but has not, is asked for its stacks again.
_LOOK_AGAIN = 3.0
_NOTICED = message(
    "run.stalled.remedy",
    "see all stacks with `dtui stacks`, and end the run with `dtui stop`; --stall-timeout ends such runs",
)
_ENDED = message(
    "run.stall-ended.remedy",
    "correct the program at that line; stacks.json in the run's folder has the stacks of all ranks",
)
#: Seconds after which a rank's report is too old to be judged: the connection to its node is lost.
_FRESH = 15.0
#: Files of debuggers: a rank in one of them is paused by its user.
_DEBUGGERS = ("pdb.py", "bdb.py", "cmd.py", "debugpy", "pydevd", "ipdb", "pudb")


class StepPace:
    """When the run did its last step, and the longest time between two steps so far."""

    def __init__(self) -> None:
        self.last: float | None = None
        self._longest = 0.0

    def add(self, event: Event) -> None:
        """Take note of a step, from a metrics file or from output."""
        if isinstance(event, MetricsSeen) and event.record.kind == "step":
            if self.last is not None:
                self._longest = max(self._longest, event.at - self.last)
            self.last = event.at

    def budget(self, least: float) -> float:
        """Return how many seconds without a step are usual in this run; at least ``least``."""
        return min(_LONGEST_BUDGET, max(least, _TOLERANCE * self._longest))


_STALLS = frozenset(
    {
        "run.stalled", "run.stalled-waited-for", "run.stalled-waited-at", "run.stalled-mismatch",
        "run.stalled-collective", "run.stalled-left", "run.not-joined", "run.not-at-rendezvous",
    }
)  # fmt: skip


def is_stall(notice: Notice) -> bool:
    """Return whether a notice reports that a run makes no progress."""
    return notice.text.id in _STALLS


async def watch_stalls(
    ranks: Sequence[RankPlan],
    progress: Progress,
    steps: StepPace,
    watch_state: WatchState,
    options: WatchOptions,
    clock: Callable[[], float],
    stacks: Callable[[], Awaitable[Sequence[RankStacks]]],
) -> AsyncIterator[Event]:
    """Yield a Notice for each stall, and end the run when one lasts ``stall_timeout``.

    ``stacks`` returns the stacks of all ranks, and keeps them for the user.
    """
    pause = min(1.0, options.stall_notice / 5)
    noticed = False
    look_at = 0.0
    while True:
        try:
            async with asyncio.timeout(pause):
                await watch_state.over.wait()
            return
        except TimeoutError:
            pass
        if watch_state.failing.is_set():
            return
        now = clock()
        waited = _waited(ranks, progress, steps, now)
        if waited is None or waited < steps.budget(options.stall_notice):
            noticed, look_at = False, 0.0
            continue
        ending = options.stall_timeout is not None and waited >= options.stall_timeout
        if waited < look_at or (noticed and not ending):
            continue
        look_at = waited + _LOOK_AGAIN
        text = _stall(ranks, progress, waited, now, await stacks())
        if text is None:
            continue
        if ending:
            watch_state.fail(Failure(now, text, _ENDED))
            return
        noticed = True
        yield Notice(at=now, level="warning", text=text, remedy=_NOTICED)


def _waited(ranks: Sequence[RankPlan], progress: Progress, steps: StepPace, now: float) -> float | None:
    """Return for how long no rank has moved; None when one moves, or cannot be observed."""
    alive = [
        plan.rank for plan in ranks if plan.rank in progress.started and plan.rank not in progress.exited
    ]
    if not alive or len(progress.started) < len(ranks):
        return None
    if progress.joined and any(rank not in progress.joined for rank in alive):
        return None  # the watch of the rendezvous reports them
    observed = [progress.observed[rank] for rank in alive if rank in progress.observed]
    if len(observed) < len(alive) or any(now - seen.at > _FRESH for seen in observed):
        return None
    moved = max(seen.observed["since"] for seen in observed)
    begun = max(event.at for event in progress.started.values())
    return now - max(moved, begun, steps.last or 0.0)


def _stall(
    ranks: Sequence[RankPlan], progress: Progress, waited: float, now: float, stacks: Sequence[RankStacks]
) -> Message | None:
    """Return which ranks have stopped while the others wait for them; None when none has."""
    alive = [plan for plan in ranks if plan.rank in progress.observed and plan.rank not in progress.exited]
    last = {one["rank"]: found for one in stacks if (found := last_collective(one)) is not None}
    missing = _behind(alive, progress, last)
    if not missing and (left := _left(ranks, progress, last)):
        return _waiting_for_the_left(left, alive, progress, waited, now)
    if not missing:
        return _all_waiting(alive, progress, last, waited, now)
    if not all(_idle(progress.observed[plan.rank], waited) for plan in missing):
        return None
    where = [_where(plan, progress.observed[plan.rank], now) for plan in missing]
    waiting = [plan for plan in alive if plan not in missing]
    if not waiting:
        return message(
            "run.stalled", "no progress for {seconds:duration}: {ranks:; }", seconds=waited, ranks=where
        )
    frame = own_frame(progress.observed[waiting[0].rank].observed["frames"])
    names = [message("run.rank", "rank {rank}", rank=plan.rank) for plan in waiting]
    if frame is None:
        return message(
            "run.stalled-waited-for",
            "no progress for {seconds:duration}: {ranks:; }; {waiting} waiting",
            seconds=waited, ranks=where, waiting=names,
        )  # fmt: skip
    return message(
        "run.stalled-waited-at",
        "no progress for {seconds:duration}: {ranks:; }; {waiting} waiting in {place}",
        seconds=waited, ranks=where, waiting=names, place=place(frame),
    )  # fmt: skip


def _behind(alive: Sequence[RankPlan], progress: Progress, last: dict[int, LastCollective]) -> list[RankPlan]:
    """Return the ranks that have not reached the collective of the others.

    torch's flight recorder counts collectives. Where there is none, these are the ranks whose stack shows no
    collective.
    """
    newest = max((found.number for found in last.values()), default=0)
    behind = [plan for plan in alive if plan.rank in last and last[plan.rank].number < newest]
    # Each process group counts its own.
    if behind and len(last) == len(alive) and len({found.group for found in last.values()}) == 1:
        return behind
    return [plan for plan in alive if not progress.observed[plan.rank].observed["collective"]]


def _left(ranks: Sequence[RankPlan], progress: Progress, last: dict[int, LastCollective]) -> list[RankPlan]:
    """Return the ranks that have ended with 0 and belong to the collective in which the others wait."""
    found = []
    for plan in ranks:
        end = progress.exited.get(plan.rank)
        if end is None or end.code != 0 or end.stopped:
            continue
        if all(one.members is None or plan.rank in one.members for one in last.values()):
            found.append(plan)
    return found


def _waiting_for_the_left(
    left: Sequence[RankPlan], alive: Sequence[RankPlan], progress: Progress, waited: float, now: float
) -> Message:
    return message(
        "run.stalled-left",
        "no progress for {seconds:duration}: {left} ended with exit code 0, and the others wait for it: "
        "{ranks:; }",
        seconds=waited,
        left=[
            message("run.rank-of-node", "rank {rank} ({node})", rank=one.rank, node=one.node) for one in left
        ],
        ranks=[_where(plan, progress.observed[plan.rank], now) for plan in alive],
    )


def _all_waiting(
    alive: Sequence[RankPlan],
    progress: Progress,
    last: dict[int, LastCollective],
    waited: float,
    now: float,
) -> Message | None:
    """Return that all ranks wait in collectives: in different ones, or for one whose data does not arrive."""
    if len(alive) < 2:
        return None
    different = len({(found.name, found.sizes) for found in last.values()}) > 1
    if different:
        calls = [
            message(
                "run.rank-in-collective",
                "rank {rank}: {name} {sizes}",
                rank=rank,
                name=found.name,
                sizes=found.sizes,
            )
            for rank, found in sorted(last.items())
        ]
        return message(
            "run.stalled-mismatch",
            "no progress for {seconds:duration}: the ranks are in different collectives: {calls:; }",
            seconds=waited, calls=calls,
        )  # fmt: skip
    # NCCL waits with a busy CPU, so only the flight recorder distinguishes a wait from a slow exchange.
    if not all(_idle(progress.observed[plan.rank], waited) for plan in alive):
        return None
    where = [_where(plan, progress.observed[plan.rank], now) for plan in alive]
    return message(
        "run.stalled-collective",
        "no progress for {seconds:duration}: every rank waits in a collective: {ranks:; }",
        seconds=waited, ranks=where,
    )  # fmt: skip


def _where(plan: RankPlan, seen: RankObserved, now: float) -> Message:
    frame = own_frame(seen.observed["frames"])
    if frame is None:
        return message("run.rank-of-node", "rank {rank} ({node})", rank=plan.rank, node=plan.node)
    return rank_at(plan, seen, frame, now)


def _idle(seen: RankObserved, waited: float) -> bool:
    """Return whether a rank that is behind does nothing, and is not paused in a debugger."""
    idle = seen.observed["idle"]
    if idle is None or idle < min(_MOST_IDLE, max(_LEAST_IDLE, waited / 4)):
        return False
    return not any(name in frame["file"] for frame in seen.observed["frames"] for name in _DEBUGGERS)
