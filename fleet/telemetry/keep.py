"""Keeps the load of a run's nodes in the run's folder while somebody watches the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.telemetry.history import TelemetryRecorder
from fleet.telemetry.watch import watch


@asynccontextmanager
async def keep_telemetry(
    fleet: Fleet, nodes: Sequence[Node], run_folder: Path, *, interval: float = 1.0
) -> AsyncGenerator[None, None]:
    """Sample ``nodes`` as long as the block and keep that below ``run_folder``; see ``read_history``.

    Troubles are not told here: who watches the run hears of a lost node or a full disk anyway, and a
    run must not end because its load can't be kept.
    """
    task = asyncio.create_task(_keep(fleet, nodes, run_folder, interval), name="keep telemetry")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep(fleet: Fleet, nodes: Sequence[Node], run_folder: Path, interval: float) -> None:
    if not nodes:
        return
    with suppress(OSError), TelemetryRecorder(run_folder) as recorder:
        async with aclosing(watch(fleet, nodes, interval=interval)) as events:
            async for event in events:
                recorder.take(event)
