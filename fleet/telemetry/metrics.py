"""What a chart can show: the series of a history by what they measure, with their units."""

from __future__ import annotations

import re

from fleet.frozen import frozen


@frozen
class Metric:
    """One quantity: ``key`` is its series' name, of GPUs without the number (``gpu.util``).

    ``unit`` is percent, bytes, bytes/s, W, °C or MHz; of GPUs there is one series each.
    """

    key: str
    unit: str

    @property
    def of_gpus(self) -> bool:
        """Whether each GPU has a series of it."""
        return self.key.startswith("gpu.")

    def takes(self, series: str) -> bool:
        """Return whether a series of a history belongs to it."""
        return metric_key(series) == self.key


METRICS = (
    Metric("gpu.util", "percent"),
    Metric("gpu.memory_used", "bytes"),
    Metric("gpu.power", "W"),
    Metric("gpu.temperature", "°C"),
    Metric("gpu.clock", "MHz"),
    Metric("gpu.memory_util", "percent"),
    Metric("gpu.pcie_rx", "bytes/s"),
    Metric("gpu.pcie_tx", "bytes/s"),
    Metric("gpu.nvlink_rx", "bytes/s"),
    Metric("gpu.nvlink_tx", "bytes/s"),
    Metric("gpu.fan", "percent"),
    Metric("cpu.util", "percent"),
    Metric("ram.used", "bytes"),
    Metric("network.rx", "bytes/s"),
    Metric("network.tx", "bytes/s"),
    Metric("disk.read", "bytes/s"),
    Metric("disk.write", "bytes/s"),
)

_GPU = re.compile(r"gpu(\d+)\.")


def metric_key(series: str) -> str:
    """Return the key of a series' metric: ``gpu.util`` of ``gpu3.util``, others as they are."""
    return _GPU.sub("gpu.", series, count=1)


def gpu_of(series: str) -> int | None:
    """Return the number of the GPU that a series is of; None for the machine's."""
    found = _GPU.match(series)
    return int(found.group(1)) if found else None
