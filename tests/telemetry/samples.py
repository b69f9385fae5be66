"""Small samples for tests of what is made of them."""

from __future__ import annotations

from typing import Any

GIB = 1 << 30


def gpu(index: int = 0, **values: Any) -> dict[str, Any]:
    """A GPU of a training node, with ``values`` of its own."""
    return {
        "index": index, "util": 97, "memory_used": 40 * GIB, "memory_total": 80 * GIB, "power": 500.0,
        "energy": None, "throttle": 0, "error": None, "processes": [], **values,
    }  # fmt: skip


def sample(*gpus: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A sample with these GPUs on a gigabit network."""
    return {
        "time": 0.0,
        "cpu": {"util": 20},
        "ram": {"used": 8 * GIB, "total": 64 * GIB},
        "network": {"adapter": "eth0", "speed_mbps": 1000, "rx": 1_000_000, "tx": 2_000_000},
        "stale": False,
        "error": None,
        "gpus": list(gpus),
        **values,
    }


def process(pid: int, memory: int | None = GIB, util: int | None = None) -> dict[str, Any]:
    """A process on a GPU."""
    return {"pid": pid, "name": "python", "memory": memory, "util": util}
