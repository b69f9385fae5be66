"""Figures of a run from the records of its ranks and the samples of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from msgspec import Struct

from agent.wire.telemetry import Sample
from fleet.metrics_record import MetricsRecord


class Figures(Struct, frozen=True, kw_only=True):
    """A run at its steady speed. Times in seconds, shares and utilisation from 0 to 1; None: not reported."""

    images_s: float
    step_time: float
    #: Slowest over fastest stretch of steps: how steady the machine was.
    spread: float
    data_share: float | None
    #: Part of a step in which gradients are exchanged, while computing continues.
    communication_share: float | None
    gpu_utilisation: float | None
    memory_gb: float | None
    mfu: float | None
    #: How many steps it is the mean of, and how long they took.
    steps: int
    seconds: float


def figures_of(
    ranks: Mapping[int, Sequence[MetricsRecord]], samples: Iterable[tuple[float, Sample]], *, skip: int = 1
) -> Figures:
    """Return the figures of a run after its first ``skip`` records; raises ValueError when too few are left.

    ``ranks`` are the ``step`` records by rank, ``samples`` the nodes' telemetry with its time.
    """
    steady = {rank: list(records)[skip:] for rank, records in ranks.items()}
    first = steady.get(0) or []
    if not first or len({len(records) for records in steady.values()}) != 1:
        counts = {rank: len(records) for rank, records in sorted(ranks.items())}
        raise ValueError(f"too few step records, or not the same number from each rank: {counts}")
    times = [_known(record.step_time) for record in first]
    images = fmean(_known(record.samples_per_second) * _known(record.step_time) for record in first)
    begin, end = _known(ranks[0][skip - 1].time) if skip else 0.0, _known(first[-1].time)
    everything = [record for records in steady.values() for record in records]
    steps = int(_known(first[-1].step) - (_known(ranks[0][skip - 1].step) if skip else 0))
    return Figures(
        images_s=images / fmean(times),
        step_time=fmean(times),
        spread=max(times) / min(times),
        data_share=_share((record.data_time, record.step_time) for record in everything),
        communication_share=_share((record.comm_time, record.step_time) for record in everything),
        gpu_utilisation=_utilisation(sample for at, sample in samples if begin < at <= end),
        memory_gb=max((value for value in _reported(everything, "mem_gb")), default=None),
        mfu=fmean(rates) if (rates := _reported(everything, "mfu")) else None,
        steps=steps,
        seconds=end - begin if skip else sum(times) * steps / len(times),
    )


def _share(parts: Iterable[tuple[float | None, float | None]]) -> float | None:
    """Return the share of (part, whole) pairs; those without a part do not count."""
    reported = [(part, _known(whole)) for part, whole in parts if part is not None]
    return sum(part for part, _ in reported) / sum(whole for _, whole in reported) if reported else None


def _reported(records: Sequence[MetricsRecord], name: str) -> list[float]:
    return [record.numbers[name] for record in records if name in record.numbers]


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("a step record lacks its time, step, step_time or samples_s")
    return value


def _utilisation(samples: Iterable[Sample]) -> float | None:
    values = [
        gpu["util"] / 100
        for sample in samples
        if not sample["stale"]
        for gpu in sample["gpus"]
        if gpu["util"] is not None
    ]
    return fmean(values) if values else None
