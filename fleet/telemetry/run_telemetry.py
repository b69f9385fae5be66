"""Records the load of a run's nodes in the run's folder while a console watches the run."""

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

#: Seconds between two writes of the tallies, which a killed console may lose.
_PERIOD = 10.0


class RunTelemetry:
    """Writes a run's samples and tallies below ``run_folder``.

    Pass the run's own events to :meth:`add`: they contain the ids of its processes.
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder
        self._meter = Meter(before=lambda _: read_tallies(run_folder))
        self._recorder = TelemetryRecorder(run_folder)
        self._written = 0.0

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """Node -> the run's use of it so far."""
        return self._meter.tallies(self._folder.name)

    def add(self, event: Event) -> None:
        """Add an event; never raises."""
        self._meter.add(event)

    def record(self, event: Event) -> None:
        """Add a sample and record it; raises OSError."""
        self._meter.add(event)
        self._recorder.add(event)
        if event.at - self._written >= _PERIOD:
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
async def record_telemetry(
    fleet: Fleet, nodes: Sequence[Node], telemetry: RunTelemetry, *, interval: float = 1.0
) -> AsyncGenerator[None, None]:
    """Record samples of ``nodes`` during the block; see ``read_history`` and ``read_tallies``.

    Errors are not reported here: the watch of the run reports a lost node or a full disk, and a run must
    not end because its load cannot be recorded.
    """
    task = asyncio.create_task(_record(fleet, nodes, telemetry, interval), name="record telemetry")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _record(fleet: Fleet, nodes: Sequence[Node], telemetry: RunTelemetry, interval: float) -> None:
    if not nodes:
        return
    with suppress(OSError), closing(telemetry):
        async with aclosing(watch(fleet, nodes, interval=interval)) as events:
            async for event in events:
                telemetry.record(event)
