"""One cell measured: dtui deploys to lab nodes, launches, and watches; its own events are what is read."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections import defaultdict
from contextlib import aclosing, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.telemetry import Sample
from benchmarks.scaling.cells import Cell
from benchmarks.scaling.figures import Figures, figures_of
from benchmarks.scaling.project import Load, configure, run_of
from fleet import commands
from fleet.errors import FleetError
from fleet.events import (
    CheckFinished,
    Event,
    LogChunk,
    MetricsSeen,
    NodeDeployed,
    Notice,
    RunFinished,
    TelemetrySampled,
)
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.metrics_record import MetricsRecord
from fleet.runs.steps import RunToEnd
from fleet.steps import Job, run_steps
from fleet.telemetry import watch
from lab.lab import Lab

_SAMPLING = 0.5
_TAIL = 2000


class CellFailed(Exception):
    """The cell has no figures; the text has the reason."""


class Measured(Struct, frozen=True, kw_only=True):
    """A cell's figures, and the seconds from its start to the first training step and to its end."""

    cell: Cell
    figures: Figures
    until_training: float
    seconds: float


class Bench:
    """Measures cells one after the other on the nodes of a running lab."""

    def __init__(self, lab: Lab, project: Path, load: Load, compiled: Path | None = None) -> None:
        self._lab, self._project, self._load = lab, project, load
        self._compiled = compiled or project.parent / "compiled"

    def fleet(self, cell: Cell) -> tuple[Fleet, tuple[Node, ...]]:
        """Return a fleet for the cell, not connected yet, and its nodes."""
        idle = [()] * (len(self._lab.nodes) - len(cell.shares))
        inventory = self._lab.inventory(
            self._project,
            run=run_of(cell, _free_port(), self._compiled),
            gpus=[(), *cell.shares, *idle] if any(cell.shares) else 0,
        )
        return Fleet(inventory, home=self._project / ".dtui"), inventory.workers[: len(cell.shares)]

    async def measure(self, cell: Cell, limit: float) -> Measured:
        """Run the cell within ``limit`` seconds; raises CellFailed. What it leaves ends with the lab."""
        configure(self._project, cell, self._load)
        fleet, nodes = self.fleet(cell)
        seen = _Seen()
        begun = time.monotonic()
        async with fleet:
            sampling = asyncio.create_task(_sample(fleet, nodes, seen))
            try:
                async with asyncio.timeout(limit):
                    await _up(fleet, nodes, seen, cpu=not any(cell.shares))
            except TimeoutError:
                raise CellFailed(f"not done after {limit:.0f} s{seen.tail()}") from None
            except FleetError as error:
                raise CellFailed(f"{error}{seen.tail()}") from None
            finally:
                sampling.cancel()
                await asyncio.wait([sampling])
                self._tidy()
        if seen.outcome != "succeeded":
            raise CellFailed("; ".join(seen.troubles) + seen.tail())
        try:
            figures = figures_of(seen.steps, seen.samples, skip=self._warm_up(cell))
        except ValueError as error:
            raise CellFailed(f"{error}{seen.tail()}") from None
        if cell.backend == "nccl":
            # NCCL's work counts as done once the GPU has it, so the ranks can't measure it.
            figures = replace(figures, communication_share=None)
        return Measured(
            cell=cell,
            figures=figures,
            until_training=seen.training - begun,
            seconds=time.monotonic() - begun,
        )

    def _warm_up(self, cell: Cell) -> int:
        """Return the number of first records that do not count: DiLoCo's whole first round is left out."""
        return self._load.diloco_steps // self._load.log_every if cell.gradients == "diloco" else 1

    def _tidy(self) -> None:
        """Remove checkpoints: gigabytes, which no run resumes from."""
        for node in self._lab.nodes:
            for folder in node.home.folder.glob("dtui/*/checkpoints"):
                shutil.rmtree(folder, ignore_errors=True)


class _Seen:
    """What the events of one run have reported."""

    def __init__(self) -> None:
        self.steps: dict[int, list[MetricsRecord]] = defaultdict(list)
        self.samples: list[tuple[float, Sample]] = []
        self.troubles: list[str] = []
        self.outcome = ""
        self.training = 0.0
        self._output = b""

    def add(self, event: Event) -> None:
        """Keep what counts."""
        if isinstance(event, MetricsSeen):
            kind = event.record.kind
            if kind == "step":
                self.steps[event.rank].append(event.record)
            elif kind == "phase" and event.record.phase == "training" and not self.training:
                self.training = time.monotonic()
        elif isinstance(event, LogChunk):
            self._output = (self._output + event.data)[-_TAIL:]
        elif isinstance(event, CheckFinished) and event.status == "fail":
            self.troubles.append(f"{event.node}: {event.check}: {event.seen} ({event.remedy})")
        elif isinstance(event, NodeDeployed) and not event.ok:
            self.troubles.append(f"{event.node}: deploy: {event.detail} ({event.remedy})")
        elif isinstance(event, Notice) and event.level == "error":
            self.troubles.append(event.text)
        elif isinstance(event, RunFinished):
            self.outcome = event.outcome
            if event.cause:
                self.troubles.append(event.cause)

    def tail(self) -> str:
        """Return the last of what the ranks printed, to be added to a reason."""
        return f"\n{self._output.decode('utf-8', 'replace')}" if self._output else ""


async def _up(fleet: Fleet, nodes: tuple[Node, ...], seen: _Seen, *, cpu: bool) -> None:
    async with aclosing(run_steps(Job(fleet, nodes, cpu=cpu), commands.up(RunToEnd()))) as events:
        async for event in events:
            seen.add(event)


async def _sample(fleet: Fleet, nodes: tuple[Node, ...], seen: _Seen) -> None:
    # Figures without a GPU's utilisation are still figures.
    with suppress(FleetError):
        async with aclosing(watch(fleet, nodes, interval=_SAMPLING)) as events:
            async for event in events:
                if isinstance(event, TelemetrySampled):
                    seen.samples.append((event.at, event.sample))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
