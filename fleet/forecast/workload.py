"""Gradient bytes and compute time: as given, else as recorded for the newest runs of the project."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from agent.wire.message import Message, message
from fleet.errors import FleetError
from fleet.events import Event, LogChunk, MetricsSeen
from fleet.forecast.model import HIDDEN, Workload
from fleet.metrics_record import MetricsRecord
from fleet.runs import RunStore, find_runs

_PARAMETERS = re.compile(rb"([0-9]+(?:\.[0-9]+)?)\s*([MBG])\s+parameters")
_UNITS = {b"M": 1e6, b"B": 1e9, b"G": 1e9}
#: First steps warm caches up.
_WARM_UP = 2


class WorkloadUnknown(FleetError):
    """Neither options nor earlier runs have the size of the model and the time of a step."""


def find_workload(
    home: Path, *, parameters: float | None = None, step_seconds: float | None = None
) -> Workload:
    """Return the workload; ``home`` is the project's ``.dtui``. Raises WorkloadUnknown."""
    found: list[Message] = []
    if parameters is not None and step_seconds is not None:
        return Workload(int(parameters * 4), step_seconds, message("forecast.given", "as given"))
    for summary in reversed(find_runs(home)):
        counted, seconds = _read(RunStore(home, summary.run).events())
        if parameters is None and counted is not None:
            parameters = counted
            found.append(
                message(
                    "forecast.parameters",
                    "{millions:.3g}M parameters in the log of run {run}",
                    millions=counted / 1e6,
                    run=summary.run,
                )
            )
        if step_seconds is None and seconds is not None:
            step_seconds = seconds
            found.append(
                message(
                    "forecast.step",
                    "{seconds:.3g} s of computing per step in run {run}",
                    seconds=seconds,
                    run=summary.run,
                )
            )
        if parameters is not None and step_seconds is not None:
            source = message("forecast.sources", "{sources:; }", sources=found)
            return Workload(int(parameters * 4), step_seconds, source)
    missing = []
    if parameters is None:
        missing.append(
            message("forecast.no-parameters", "the number of the model's parameters (--parameters 42M)")
        )
    if step_seconds is None:
        missing.append(
            message("forecast.no-step", "the time that one GPU computes per step (--step-seconds 0.3)")
        )
    raise WorkloadUnknown(
        message("forecast.unknown", "unknown: {missing}", missing=missing),
        remedy=message(
            "forecast.unknown.remedy", "pass them as options, or train once with dtui to measure them"
        ),
    )


def _read(events: Iterable[Event]) -> tuple[float | None, float | None]:
    """Return parameters and seconds of computing per step, None for what a recording does not have."""
    parameters: float | None = None
    steps: list[float] = []
    for event in events:
        if isinstance(event, LogChunk) and parameters is None and event.rank == 0:
            match = _PARAMETERS.search(event.data)
            if match:
                parameters = float(match[1]) * _UNITS[match[2]]
        elif isinstance(event, MetricsSeen) and event.rank == 0 and event.record.kind == "step":
            seconds = computing(event.record)
            if seconds is not None:
                steps.append(seconds)
    kept = steps[_WARM_UP:] or steps
    return parameters, median(kept) if kept else None


def computing(record: MetricsRecord) -> float | None:
    """Return how long one step would take alone: its time without the communication that was not hidden."""
    whole, comm = record.step_time, record.comm_time
    if whole is None or not 0 < whole < math.inf:
        return None
    if comm is None or not 0 < comm < math.inf:
        return float(whole)
    # whole = computing + (comm - HIDDEN x computing), as in the forecast itself.
    alone = (whole - comm) / (1 - HIDDEN)
    return float(min(max(alone, whole * 0.05), whole))
