"""What the records of a run's ranks and the samples of its nodes come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A run at its steady speed. Times in seconds, shares and utilisation from 0 to 1; None: nobody told."""

    images_s: float
    step_time: float
    #: Slowest over fastest stretch of steps: how steady the machine was.
    spread: float
    data_share: float | None
    #: Part of a step in which gradients are under way; computing goes on meanwhile.
    communication_share: float | None
    gpu_utilisation: float | None
    memory_gb: float | None
    mfu: float | None
    #: How many steps it is the mean of, and how long they took.
    steps: int
    seconds: float


def figures_of(
    ranks: Mapping[int, Sequence[Record]], samples: Iterable[tuple[float, Record]], *, skip: int = 1
) -> Figures:
    """Return the figures of a run after its first ``skip`` records; raises ValueError when too few are left.

    ``ranks`` are the ``step`` records by rank, ``samples`` the nodes' telemetry with its time.
    """
    steady = {rank: list(records)[skip:] for rank, records in ranks.items()}
    first = steady.get(0) or []
    if not first or len({len(records) for records in steady.values()}) != 1:
        counts = {rank: len(records) for rank, records in sorted(ranks.items())}
        raise ValueError(f"too few step records, or not the same number from each rank: {counts}")
    times = [float(record["step_time"]) for record in first]
    images = fmean(float(record["samples_s"]) * float(record["step_time"]) for record in first)
    begin, end = float(ranks[0][skip - 1]["t"]) if skip else 0.0, float(first[-1]["t"])
    everything = [record for records in steady.values() for record in records]
    steps = int(first[-1]["step"]) - int(ranks[0][skip - 1]["step"] if skip else 0)
    return Figures(
        images_s=images / fmean(times),
        step_time=fmean(times),
        spread=max(times) / min(times),
        data_share=_share(everything, "data_time"),
        communication_share=_share(everything, "comm_time"),
        gpu_utilisation=_utilisation(sample for at, sample in samples if begin < at <= end),
        memory_gb=max((value for value in _told(everything, "mem_gb")), default=None),
        mfu=fmean(told) if (told := _told(everything, "mfu")) else None,
        steps=steps,
        seconds=end - begin if skip else sum(times) * steps / len(times),
    )


def _share(records: Sequence[Record], name: str) -> float | None:
    told = [record for record in records if record.get(name) is not None]
    if not told:
        return None
    return sum(float(record[name]) for record in told) / sum(float(record["step_time"]) for record in told)


def _told(records: Sequence[Record], name: str) -> list[float]:
    return [float(record[name]) for record in records if record.get(name) is not None]


def _utilisation(samples: Iterable[Record]) -> float | None:
    values = [
        gpu["util"] / 100
        for sample in samples
        if not sample.get("stale")
        for gpu in sample.get("gpus") or ()
        if gpu.get("util") is not None
    ]
    return fmean(values) if values else None
