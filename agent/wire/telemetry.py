"""The samples of ``telemetry``: a node's load. Rates are None until there are two readings."""

from __future__ import annotations

from typing import List, Optional, Tuple, TypedDict, Union

from agent.wire.gpu import Gpu, GpuSource
from agent.wire.message import MessageData, message
from agent.wire.quantity import Quantity

_KIB = 1 << 10
_MIB = 1 << 20


class CpuLoad(TypedDict):
    """Percent of all threads that were busy."""

    util: Optional[float]


class MemoryLoad(TypedDict):
    """Bytes."""

    total: Optional[int]
    used: Optional[int]


class DiskLoad(TypedDict):
    """Bytes per second of all physical disks."""

    read: Optional[float]
    write: Optional[float]


class NetworkLoad(TypedDict):
    """The adapter that reaches the master: its speed in Mbit/s, bytes per second received and sent."""

    adapter: Optional[str]
    speed_mbps: Optional[int]
    rx: Optional[float]
    tx: Optional[float]


#: Every number of the machine that is a series: those with a title in the order of charts, then the others.
HOST_QUANTITIES: Tuple[Quantity, ...] = (
    Quantity("cpu.util", "percent", title=message("metric.cpu-util", "CPU load")),
    Quantity("ram.used", "bytes", title=message("metric.ram-used", "RAM"), step=_MIB),
    Quantity("network.rx", "bytes/s", title=message("metric.network-rx", "network received"), step=_KIB),
    Quantity("network.tx", "bytes/s", title=message("metric.network-tx", "network sent"), step=_KIB),
    Quantity("disk.read", "bytes/s", title=message("metric.disk-read", "disk read"), step=_KIB),
    Quantity("disk.write", "bytes/s", title=message("metric.disk-write", "disk written"), step=_KIB),
    Quantity("ram.total", "bytes", step=_MIB),
    Quantity("paging.used", "bytes", step=_MIB),
    Quantity("paging.total", "bytes", step=_MIB),
    Quantity("network.speed_mbps", "Mbit/s"),
)


class Sample(TypedDict):
    """One sample; ``time`` is the node's clock (Unix seconds), ``gpu_age`` the age of ``gpus`` in seconds.

    The arguments of ``error`` are strings: agent.deltas rounds numbers to steps.
    """

    time: float
    cpu: CpuLoad
    ram: MemoryLoad
    paging: MemoryLoad
    disk: DiskLoad
    network: NetworkLoad
    source: Optional[GpuSource]
    driver: Optional[str]
    cuda: Optional[str]
    gpu_age: Optional[float]
    stale: bool
    error: Optional[MessageData]
    gpus: List[Gpu]


class TelemetryArgs(TypedDict, total=False):
    """``interval`` in seconds (1), ``count`` of samples, ``gpus`` as numbers or as how many."""

    interval: float
    count: Optional[int]
    gpus: Union[int, List[int], None]
    master_address: str


class TelemetryResult(TypedDict):
    """How many samples were sent."""

    samples: int
