"""What a chart can show: the series of a history by what they measure, with their units."""

from __future__ import annotations

import re

from msgspec import Struct

from agent.wire.gpu import GPU_QUANTITIES
from agent.wire.message import Message
from agent.wire.quantity import Unit
from agent.wire.telemetry import HOST_QUANTITIES


class Metric(Struct, frozen=True):
    """A quantity that can be charted; ``key`` is its series' name, of GPUs without the number (``gpu.util``).

    Each GPU has its own series.
    """

    key: str
    unit: Unit
    title: Message

    @property
    def of_gpus(self) -> bool:
        """Whether each GPU has a series of it."""
        return self.key.startswith("gpu.")

    def takes(self, series: str) -> bool:
        """Return whether a series of a history belongs to it."""
        return metric_key(series) == self.key


METRICS = (
    *(Metric(f"gpu.{one.key}", one.unit, one.title) for one in GPU_QUANTITIES if one.title),
    *(Metric(one.key, one.unit, one.title) for one in HOST_QUANTITIES if one.title),
)

_GPU = re.compile(r"gpu(\d+)\.")


def metric_key(series: str) -> str:
    """Return the key of a series' metric: ``gpu.util`` of ``gpu3.util``, others as they are."""
    return _GPU.sub("gpu.", series, count=1)


def gpu_of(series: str) -> int | None:
    """Return the number of the GPU that a series is of; None for the machine's."""
    found = _GPU.match(series)
    return int(found.group(1)) if found else None
