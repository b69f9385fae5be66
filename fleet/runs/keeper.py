"""Who records a run, ends and restarts it: this process, or one that goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import EMPTY, Message, message
from fleet.errors import FleetError
from fleet.events import Notice, RunFinished
from fleet.fleet import Fleet
from fleet.plan import RunPlan
from fleet.plan.rank_environment import MAX_RESTARTS, RESTART_COUNT
from fleet.runs.launch import launch
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.watch import watch


class AttemptEnded(Struct, frozen=True, kw_only=True, tag="ended"):
    """The record of a run is complete; ``next_run`` is the restart that has begun, if there is one."""

    run: str
    next_run: str = ""
    #: Why a restart did not begin.
    error: Message = EMPTY


class NotKeptError(FleetError):
    """The keeper cannot take the run, or has been lost."""


class Lease(Protocol):
    """A keeper that has connected to the nodes of a run."""

    async def adopt(
        self, plan: RunPlan, launching: LaunchOptions, watching: WatchOptions, attempt: int
    ) -> None:
        """Hand over a run whose ``attempt`` has been launched; raises NotKeptError."""

    async def ended(self) -> AttemptEnded:
        """Wait for the end of the run, or of its next restart; raises NotKeptError."""

    async def close(self) -> None:
        """Leave the keeper, which goes on with an adopted run."""


class Keeper(Protocol):
    """Keeps runs in a process that does not end with this one."""

    async def prepare(self, fleet: Fleet, nodes: Sequence[str]) -> Lease:
        """Have the keeper connect to these nodes; raises NotKeptError."""


class HandOver:
    """Hands a run over to a keeper, which connects while the run is launched. Use as ``async with``."""

    def __init__(
        self,
        keeper: Keeper,
        fleet: Fleet,
        plan: RunPlan,
        launching: LaunchOptions,
        watching: WatchOptions,
    ) -> None:
        self._fleet = fleet
        self._plan = plan
        self._keeper = keeper
        self._launching = launching
        self._watching = watching

    async def __aenter__(self) -> Self:
        self._lease = asyncio.create_task(self._prepare())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._lease.cancel()
        with suppress(asyncio.CancelledError, NotKeptError):
            await (await self._lease).close()

    async def adopt(self, attempt: int = 0) -> Notice | None:
        """Hand over the launched attempt; return a warning when the run stays with this process."""
        try:
            lease = await self._lease
            await lease.adopt(self._plan, self._launching, self._watching, attempt)
        except NotKeptError as error:
            return self.warning(error)
        return None

    async def ended(self, attempt: int) -> AttemptEnded:
        """Wait for the end of an attempt. A keeper that is lost is replaced; raises NotKeptError."""
        lease = await self._lease
        try:
            return await lease.ended()
        except NotKeptError:
            await lease.close()
        self._lease = asyncio.create_task(self._prepare())
        lease = await self._lease
        await lease.adopt(self._plan, self._launching, self._watching, attempt)
        return await lease.ended()

    def warning(self, error: NotKeptError) -> Notice:
        """Return what the user has to know when there is no keeper."""
        return Notice(
            at=self._fleet.clock(),
            level="warning",
            text=message(
                "run.not-kept",
                "the run is only recorded and restarted while a console or command follows it: {reason}",
                reason=error.what,
            ),
            remedy=error.remedy,
        )

    async def _prepare(self) -> Lease:
        return await self._keeper.prepare(self._fleet, [part.node for part in self._plan.nodes])


async def keep_to_end(
    fleet: Fleet, plan: RunPlan, launching: LaunchOptions, watching: WatchOptions, attempt: int
) -> AsyncGenerator[AttemptEnded, None]:
    """Watch a run to its end and restart it when it fails; yield what ended.

    ``attempt`` has been launched. A run that was stopped is not started again.
    """
    while True:
        current = attempt_of(plan, attempt, launching.max_restarts)
        finished: RunFinished | None = None
        async with aclosing(watch(fleet, current.run, watching, history=False)) as events:
            async for event in events:
                finished = event if isinstance(event, RunFinished) else finished
        if finished is None or finished.outcome != "failed" or attempt == launching.max_restarts:
            yield AttemptEnded(run=current.run)
            return
        attempt += 1
        following = attempt_of(plan, attempt, launching.max_restarts)
        try:
            async with aclosing(launch(fleet, following, launching)) as events:
                async for _ in events:
                    pass
        except FleetError as error:
            yield AttemptEnded(run=current.run, error=error.what)
            return
        yield AttemptEnded(run=current.run, next_run=following.run)


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
