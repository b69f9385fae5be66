"""Launch a run and follow it to its end, with its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress

from agent.wire.message import message
from fleet.events import Event, Notice, RunFinished
from fleet.fleet import Fleet
from fleet.plan import RunPlan
from fleet.runs.keeper import HandOver, Keeper, NotKeptError, attempt_of
from fleet.runs.launch import launch
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.store import RunStore
from fleet.runs.watch import watch


async def run_to_end(
    fleet: Fleet,
    plan: RunPlan,
    launching: LaunchOptions | None = None,
    watching: WatchOptions | None = None,
    keeper: Keeper | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events of ``launch`` and ``watch``, then those of up to ``max_restarts`` further runs.

    Each is a separate run, named ``<run>-r1``, ``<run>-r2`` and so on; a program that keeps checkpoints
    continues from the last. A run that was stopped is not started again. A ``keeper`` records the runs and
    restarts them even if this process ends; without one this process does. Raises LaunchFailed.
    """
    options, limits = launching or LaunchOptions(), watching or WatchOptions()
    async with AsyncExitStack() as stack:
        hand_over: HandOver | None = None
        if keeper is not None:
            hand_over = HandOver(keeper, fleet, plan, options, limits)
            await stack.enter_async_context(hand_over)
        async with aclosing(launch(fleet, attempt_of(plan, 0, options.max_restarts), options)) as events:
            async for event in events:
                yield event
        if hand_over is not None and (warning := await hand_over.adopt()) is not None:
            yield warning
            hand_over = None
        attempts = (
            _own_attempts(fleet, plan, options, limits)
            if hand_over is None
            else _kept_attempts(fleet, plan, options, limits, hand_over)
        )
        async with aclosing(attempts) as events:
            async for event in events:
                yield event


async def launch_and_leave(
    fleet: Fleet, plan: RunPlan, launching: LaunchOptions, watching: WatchOptions, keeper: Keeper
) -> AsyncGenerator[Event, None]:
    """Launch a run and leave it to the keeper; yield the launch's events. Raises LaunchFailed."""
    async with HandOver(keeper, fleet, plan, launching, watching) as hand_over:
        first = attempt_of(plan, 0, launching.max_restarts)
        async with aclosing(launch(fleet, first, launching)) as events:
            async for event in events:
                yield event
        if (warning := await hand_over.adopt()) is not None:
            yield warning


async def follow(
    fleet: Fleet, run: str, watching: WatchOptions | None = None, keeper: Keeper | None = None
) -> AsyncGenerator[Event, None]:
    """Yield the events of ``watch``; a run without a keeper is handed over to the keeper.

    It is not restarted: its secrets and arguments are not in its record. Raises NoSuchRun.
    """
    store = RunStore(fleet.home, run)
    plan, limits = store.plan(), watching or WatchOptions()
    known = {node.name for node in fleet.nodes}
    async with AsyncExitStack() as stack:
        hand_over: HandOver | None = None
        if (
            keeper is not None
            and store.finished() is None
            and known.issuperset(part.node for part in plan.nodes)
        ):
            hand_over = await stack.enter_async_context(
                HandOver(keeper, fleet, plan, LaunchOptions(), limits)
            )
            if await hand_over.adopt() is not None:
                hand_over = None
        async with aclosing(watch(fleet, run, limits, record=hand_over is None)) as events:
            async for event in events:
                yield event
        if hand_over is not None:
            with suppress(NotKeptError):
                await hand_over.ended(0)


async def _own_attempts(
    fleet: Fleet, plan: RunPlan, options: LaunchOptions, watching: WatchOptions
) -> AsyncGenerator[Event, None]:
    """Follow the first attempt, which has been launched; launch and follow the others."""
    finished = None
    async with aclosing(watch(fleet, plan.run, watching, history=False)) as events:
        async for event in events:
            finished = event if isinstance(event, RunFinished) else finished
            yield event
    async with aclosing(_own_restarts(fleet, plan, options, watching, 0, finished)) as events:
        async for event in events:
            yield event


async def _own_restarts(
    fleet: Fleet,
    plan: RunPlan,
    options: LaunchOptions,
    watching: WatchOptions,
    attempt: int,
    finished: RunFinished | None,
) -> AsyncGenerator[Event, None]:
    """Launch and follow the attempts after ``attempt``, which has ended with ``finished``."""
    while finished is not None and finished.outcome == "failed" and attempt < options.max_restarts:
        attempt += 1
        yield _restarting(fleet, attempt, options.max_restarts)
        current = attempt_of(plan, attempt, options.max_restarts)
        async with aclosing(launch(fleet, current, options)) as events:
            async for event in events:
                yield event
        async with aclosing(watch(fleet, current.run, watching, history=False)) as events:
            async for event in events:
                finished = event if isinstance(event, RunFinished) else finished
                yield event


async def _kept_attempts(
    fleet: Fleet, plan: RunPlan, options: LaunchOptions, watching: WatchOptions, hand_over: HandOver
) -> AsyncGenerator[Event, None]:
    """Follow the attempts of a run that the keeper watches and restarts."""
    attempt, run = 0, plan.run
    while run:
        ending = asyncio.create_task(hand_over.ended(attempt))
        finished: RunFinished | None = None
        try:
            async with aclosing(watch(fleet, run, watching, history=attempt > 0, record=False)) as events:
                async for event in events:
                    finished = event if isinstance(event, RunFinished) else finished
                    yield event
            ended = await ending
        except NotKeptError as error:
            yield hand_over.warning(error)
            # The nodes still have what was not recorded.
            async with aclosing(watch(fleet, run, watching, history=False)) as events:
                async for _ in events:
                    pass
            rest = _own_restarts(fleet, plan, options, watching, attempt, finished)
            async with aclosing(rest) as events:
                async for event in events:
                    yield event
            return
        finally:
            ending.cancel()
        if ended.error:
            yield Notice(at=fleet.clock(), level="error", text=ended.error)
        run = ended.next_run
        if run:
            attempt += 1
            yield _restarting(fleet, attempt, options.max_restarts)


def _restarting(fleet: Fleet, attempt: int, most: int) -> Notice:
    if fleet.inventory.run.is_trainer:
        text = message(
            "run.restarting",
            "restarting the run from its last checkpoint ({attempt} of {most})",
            attempt=attempt,
            most=most,
        )
    else:
        text = message(
            "run.restarting-program", "restarting the run ({attempt} of {most})", attempt=attempt, most=most
        )
    return Notice(at=fleet.clock(), level="warning", text=text)
