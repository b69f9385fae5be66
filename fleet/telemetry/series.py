"""A sample as named numbers: the columns of a history, of an export and of a scrape."""

from __future__ import annotations

from collections.abc import Mapping

from agent.deltas import STEPS
from agent.wire.gpu import GPU_QUANTITIES, gpu_value
from agent.wire.telemetry import HOST_QUANTITIES, Sample

Row = dict[str, float | None]


def row_of(sample: Sample) -> Row:
    """Return the sample's numbers by name: ``gpu0.util``, ``cpu.util``, ``network.rx``, ``stale`` (0 or 1).

    GPU values that are stale are None: a history must not show a hung driver as a steady load.
    """
    row: Row = {}
    for one in HOST_QUANTITIES:
        group, _, key = one.key.partition(".")
        values = sample.get(group)
        row[one.key] = _number(values.get(key)) if isinstance(values, Mapping) else None
    stale = bool(sample.get("stale"))
    row["stale"] = float(stale)
    for gpu in sample["gpus"]:
        for one in GPU_QUANTITIES:
            row[f"gpu{gpu['index']}.{one.key}"] = None if stale else gpu_value(gpu, one)
    return row


def step_of(name: str) -> float:
    """Return the smallest difference that is kept of a series."""
    return STEPS.get(name.rsplit(".", 1)[-1], 1)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
