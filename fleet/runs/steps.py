"""The steps of a command that start a run, or show what would start."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from fleet.events import Event, RunPreview
from fleet.runs.keeper import Keeper
from fleet.runs.launch import announce, launch
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.restart import launch_and_leave, run_to_end
from fleet.steps import Job


class Launch(Struct, frozen=True):
    """Starts the run, which then continues on its own; a keeper watches it as ``watching`` says."""

    options: LaunchOptions = LaunchOptions()
    watching: WatchOptions = WatchOptions()
    keeper: Keeper | None = None

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the launch's events; raises LaunchFailed."""
        launched = (
            launch(job.fleet, job.plan, self.options)
            if self.keeper is None
            else launch_and_leave(job.fleet, job.plan, self.options, self.watching, self.keeper)
        )
        async with aclosing(launched) as events:
            async for event in events:
                yield event


class RunToEnd(Struct, frozen=True):
    """Starts the run and follows it, with its restarts, to its end."""

    launching: LaunchOptions = LaunchOptions()
    watching: WatchOptions = WatchOptions()
    keeper: Keeper | None = None

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the run's events; raises LaunchFailed."""
        run = run_to_end(job.fleet, job.plan, self.launching, self.watching, self.keeper)
        async with aclosing(run) as events:
            async for event in events:
                yield event


class RunDryRun(Struct, frozen=True):
    """Shows the run that would start."""

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield a RunPreview, and a warning for each note of the plan."""
        planned, *notes = announce(job.plan, job.fleet.clock())
        yield RunPreview(
            at=planned.at,
            world_size=planned.world_size,
            master_address=planned.master_address,
            master_port=planned.master_port,
            ranks=planned.ranks,
            method=planned.method,
            command=planned.command,
            configs=planned.configs,
        )
        for note in notes:
            yield note
