"""Launch a run and watch it to its end, starting it again from its last checkpoint when it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from agent.wire.message import message
from fleet.events import Event, Notice, RunFinished
from fleet.fleet import Fleet
from fleet.plan import RunPlan
from fleet.plan.rank_environment import MAX_RESTARTS, RESTART_COUNT
from fleet.runs.launch import launch
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.watch import watch


async def run_to_end(
    fleet: Fleet,
    plan: RunPlan,
    launching: LaunchOptions | None = None,
    watching: WatchOptions | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events of ``launch`` and ``watch``, then those of up to ``max_restarts`` further runs.

    Each is a separate run, named ``<run>-r1``, ``<run>-r2`` and so on; a program that keeps checkpoints
    continues from the last. A run that was stopped is not started again. Raises LaunchFailed.
    """
    options = launching or LaunchOptions()
    for attempt in range(options.max_restarts + 1):
        current = attempt_of(plan, attempt, options.max_restarts)
        finished: RunFinished | None = None
        async with aclosing(launch(fleet, current, options)) as events:
            async for event in events:
                yield event
        async with aclosing(watch(fleet, current.run, watching, history=False)) as events:
            async for event in events:
                finished = event if isinstance(event, RunFinished) else finished
                yield event
        if finished is None or finished.outcome != "failed" or attempt == options.max_restarts:
            return
        yield Notice(
            at=fleet.clock(),
            level="warning",
            text=message(
                "run.restarting",
                "restarting the run from its last checkpoint ({attempt} of {most})",
                attempt=attempt + 1,
                most=options.max_restarts,
            ),
        )


def attempt_of(plan: RunPlan, attempt: int, max_restarts: int) -> RunPlan:
    """Return the plan of an attempt: 0 is the first one, and each restart is a run with its own id."""
    run = f"{plan.run}-r{attempt}" if attempt else plan.run
    changed = {
        "DTUI_RUN_ID": run,
        RESTART_COUNT: str(attempt),
        MAX_RESTARTS: str(max_restarts),
    }
    nodes = tuple(
        replace(
            part,
            processes=tuple(replace(process, env={**process.env, **changed}) for process in part.processes),
        )
        for part in plan.nodes
    )
    return replace(plan, run=run, nodes=nodes)
