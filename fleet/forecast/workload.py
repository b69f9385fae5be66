"""Gradient bytes and compute time: as given, else as the newest runs of the project showed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from fleet.errors import FleetError
from fleet.events import LogChunk, MetricsSeen
from fleet.forecast.model import HIDDEN, Workload
from fleet.runs import RunStore, find_runs

_PARAMETERS = re.compile(rb"([0-9]+(?:\.[0-9]+)?)\s*([MBG])\s+parameters")
_UNITS = {b"M": 1e6, b"B": 1e9, b"G": 1e9}
#: First steps warm caches up.
_WARM_UP = 2


class WorkloadUnknown(FleetError):
    """Neither options nor earlier runs tell how large the model is and how long a step takes."""


def find_workload(
    home: Path, *, parameters: float | None = None, step_seconds: float | None = None
) -> Workload:
    """Return the workload; ``home`` is the project's ``.dtui``. Raises WorkloadUnknown."""
    told: list[str] = []
    if parameters is not None and step_seconds is not None:
        return Workload(int(parameters * 4), step_seconds, "as given")
    for summary in reversed(find_runs(home)):
        counted, seconds = _read(RunStore(home, summary.run).events())
        if parameters is None and counted is not None:
            parameters = counted
            told.append(f"{counted / 1e6:.3g}M parameters as run {summary.run} said")
        if step_seconds is None and seconds is not None:
            step_seconds = seconds
            told.append(f"{seconds:.3g} s computing a step, from run {summary.run}")
        if parameters is not None and step_seconds is not None:
            return Workload(int(parameters * 4), step_seconds, "; ".join(told))
    missing = [
        text
        for value, text in (
            (parameters, "how many parameters the model has (--parameters 42M)"),
            (step_seconds, "how long one GPU computes a step (--step-seconds 0.3)"),
        )
        if value is None
    ]
    raise WorkloadUnknown(
        f"not known: {' and '.join(missing)}",
        remedy="give them, or train once with dtui: then they come from that run",
    )


def _read(events: Iterable[Any]) -> tuple[float | None, float | None]:
    """Return parameters and seconds of computing a step, as far as a run's recording tells them."""
    parameters: float | None = None
    steps: list[float] = []
    for event in events:
        if isinstance(event, LogChunk) and parameters is None and event.rank == 0:
            match = _PARAMETERS.search(event.data)
            if match:
                parameters = float(match[1]) * _UNITS[match[2]]
        elif isinstance(event, MetricsSeen) and event.rank == 0 and event.record.get("kind") == "step":
            seconds = computing(event.record)
            if seconds is not None:
                steps.append(seconds)
    kept = steps[_WARM_UP:] or steps
    return parameters, median(kept) if kept else None


def computing(record: dict[str, Any]) -> float | None:
    """Return how long one step would take alone: its time without the communication that was not hidden."""
    whole, comm = record.get("step_time"), record.get("comm_time")
    if not isinstance(whole, int | float) or whole <= 0:
        return None
    if not isinstance(comm, int | float) or comm <= 0:
        return float(whole)
    # whole = computing + (comm - HIDDEN x computing), as the forecast itself has it.
    alone = (whole - comm) / (1 - HIDDEN)
    return float(min(max(alone, whole * 0.05), whole))
