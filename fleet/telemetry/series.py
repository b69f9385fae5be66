"""A sample as named numbers: the columns of a history, of an export and of a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.deltas import STEPS

#: Of a GPU's values, those that change and that somebody plots.
GPU_SERIES = (
    "util", "memory_util", "memory_used", "memory_total", "power", "power_cap", "energy", "temperature",
    "clock", "clock_memory", "throttle", "pcie_rx", "pcie_tx", "nvlink_rx", "nvlink_tx",
    "ecc_corrected", "ecc_uncorrected", "fan",
)  # fmt: skip

#: Of the machine's values: group -> keys.
HOST_SERIES: Mapping[str, tuple[str, ...]] = {
    "cpu": ("util",),
    "ram": ("used", "total"),
    "paging": ("used", "total"),
    "disk": ("read", "write"),
    "network": ("rx", "tx", "speed_mbps"),
}

Row = dict[str, float | None]


def row_of(sample: Mapping[str, Any]) -> Row:
    """Return the sample's numbers by name: ``gpu0.util``, ``cpu.util``, ``network.rx``, ``stale`` (0 or 1).

    GPU values that are stale are None: a history must not show a hung driver as a steady load.
    """
    row: Row = {}
    for group, keys in HOST_SERIES.items():
        values = sample.get(group)
        for key in keys:
            row[f"{group}.{key}"] = _number(values.get(key)) if isinstance(values, Mapping) else None
    stale = bool(sample.get("stale"))
    row["stale"] = float(stale)
    for index, gpu in gpus_of(sample):
        for key in GPU_SERIES:
            row[f"gpu{index}.{key}"] = None if stale else _number(gpu.get(key))
    return row


def gpus_of(sample: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the sample's GPUs with their numbers, in their order."""
    for position, gpu in enumerate(sample.get("gpus") or ()):
        index = gpu.get("index")
        yield (position if index is None else int(index)), gpu


def step_of(name: str) -> float:
    """Return the smallest difference that is kept of a series."""
    return STEPS.get(name.rsplit(".", 1)[-1], 1)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
