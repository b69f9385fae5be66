"""Launch a run and watch it to its end, starting it again from its last checkpoint when it fails."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fleet.events import Event, Notice, RunFinished
from fleet.fleet import Fleet
from fleet.plan import RunPlan
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

    Each is a run of its own, named ``<run>-r1``, ``<run>-r2`` and so on; a program that keeps checkpoints
    goes on from the last. A run that was stopped is not started again. Raises LaunchFailed.
    """
    options = launching or LaunchOptions()
    for attempt in range(options.max_restarts + 1):
        current = plan if attempt == 0 else renamed(plan, f"{plan.run}-r{attempt}")
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
            text=f"starting again from the last checkpoint ({attempt + 1} of {options.max_restarts})",
        )


def renamed(plan: RunPlan, run: str) -> RunPlan:
    """Return the same plan as a run of another id."""
    nodes = tuple(
        dataclasses.replace(
            part,
            processes=tuple(
                dataclasses.replace(
                    process,
                    env={**process.env, "DTUI_RUN_ID": run, "DTUI_STOP_FILE": f".dtui/runs/{run}/stop"},
                )
                for process in part.processes
            ),
        )
        for part in plan.nodes
    )
    return dataclasses.replace(plan, run=run, nodes=nodes)
