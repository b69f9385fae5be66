"""Keeps the load of a run's nodes in the run's folder while a console watches the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from pathlib import Path

from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.telemetry.history import TelemetryRecorder
from fleet.telemetry.meter import Meter
from fleet.telemetry.tally import Tally, read_tallies, write_tallies
from fleet.telemetry.watch import watch

#: Seconds between two writes of the tallies: the most that a killed console can lose.
_EACH = 10.0


class Keeper:
    """Writes a run's samples and tallies below ``run_folder``.

    The run's own events belong in :meth:`add`: they have the ids of the run's processes.
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder
        self._meter = Meter(before=lambda _: read_tallies(run_folder))
        self._recorder = TelemetryRecorder(run_folder)
        self._written = 0.0

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """Node -> what the run used of it so far."""
        return self._meter.tallies(self._folder.name)

    def add(self, event: Event) -> None:
        """Add an event; never raises."""
        self._meter.add(event)

    def keep(self, event: Event) -> None:
        """Add a sample and record it; raises OSError."""
        self._meter.add(event)
        self._recorder.add(event)
        if event.at - self._written >= _EACH:
            self._written = event.at
            self._write()

    def close(self) -> None:
        """Write pending samples and tallies; raises OSError."""
        self._recorder.__exit__()
        self._write()

    def _write(self) -> None:
        if self.tallies:
            write_tallies(self._folder, self.tallies)


@asynccontextmanager
async def keep_telemetry(
    fleet: Fleet, nodes: Sequence[Node], keeper: Keeper, *, interval: float = 1.0
) -> AsyncGenerator[None, None]:
    """Sample ``nodes`` for the keeper as long as the block; see ``read_history`` and ``read_tallies``.

    Errors are not reported here: the watch of the run reports a lost node or a full disk anyway, and a
    run must not end because its load can't be kept.
    """
    task = asyncio.create_task(_keep(fleet, nodes, keeper, interval), name="keep telemetry")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep(fleet: Fleet, nodes: Sequence[Node], keeper: Keeper, interval: float) -> None:
    if not nodes:
        return
    with suppress(OSError), closing(keeper):
        async with aclosing(watch(fleet, nodes, interval=interval)) as events:
            async for event in events:
                keeper.keep(event)
