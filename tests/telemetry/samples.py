"""Small samples for tests of what is made of them."""

from __future__ import annotations

from agent.wire.gpu import Gpu, GpuProcess
from agent.wire.telemetry import Sample
from tests.support import wire

GIB = 1 << 30


def gpu(index: int = 0, **values: object) -> Gpu:
    """A GPU of a training node, with ``values`` of its own."""
    busy: dict[str, object] = {
        "index": index,
        "util": 97,
        "memory_used": 40 * GIB,
        "memory_total": 80 * GIB,
        "power": 500.0,
        "throttle": 0,
        "processes": [],
    }
    return wire.gpu(**busy | values)


def sample(*gpus: Gpu, **values: object) -> Sample:
    """A sample with these GPUs on a gigabit network; an object in ``values`` changes only its own keys."""
    load: dict[str, object] = {
        "cpu": {"util": 20},
        "ram": {"used": 8 * GIB, "total": 64 * GIB},
        "network": {"adapter": "eth0", "speed_mbps": 1000, "rx": 1_000_000, "tx": 2_000_000},
        "gpus": gpus,
    }
    return wire.sample(**load | values)


def process(pid: int, memory: int | None = GIB, util: int | None = None) -> GpuProcess:
    """A process on a GPU."""
    return wire.process(pid, name="python", memory=memory, util=util)
