"""Facts and load of a node as a screen needs them; missing values are None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from agent.wire import gpu as wire
from agent.wire.gpu import GPU_QUANTITIES, gpu_value
from fleet.state import NodeState


class Gpu(Struct, frozen=True):
    """One GPU: bytes, watts, degrees Celsius, MHz, percent."""

    index: int
    name: str
    util: float | None
    memory_used: float | None
    memory_total: float | None
    power: float | None
    power_cap: float | None
    temperature: float | None
    clock: float | None
    history: tuple[float, ...] = ()
    #: Of the quantities that have a column, by their keys.
    values: Mapping[str, float | None] = {}


def gpus(node: NodeState) -> list[Gpu]:
    """Return the node's GPUs, load and history included as far as known."""
    probed = {gpu["index"]: gpu for gpu in node.facts["gpus"]} if node.facts else {}
    return [
        _gpu(gpu, probed.get(gpu["index"]) or gpu, node.gpu_history.get(gpu["index"], ()))
        for gpu in node.gpus
    ]


def _gpu(now: wire.Gpu, probed: wire.Gpu, history: tuple[float, ...]) -> Gpu:
    name = (now["name"] or probed["name"] or "GPU").replace("NVIDIA ", "").replace("GeForce ", "")
    return Gpu(
        now["index"],
        name,
        _known(now["util"], probed["util"]),
        _known(now["memory_used"], probed["memory_used"]),
        _known(now["memory_total"], probed["memory_total"]),
        _known(now["power"], probed["power"]),
        _known(now["power_cap"], probed["power_cap"]),
        _known(now["temperature"], probed["temperature"]),
        _known(now["clock"], probed["clock"]),
        history,
        {
            one.key: _known(gpu_value(now, one), gpu_value(probed, one))
            for one in GPU_QUANTITIES
            if one.column
        },
    )


def _known(now: float | None, probed: float | None) -> float | None:
    return probed if now is None else now


def gpu_summary(node: NodeState) -> str:
    """Return ``8× RTX 4090 24G``; empty when nothing is known, ``none`` is the caller's word."""
    found = gpus(node)
    kinds = Counter((gpu.name, round(gpu.memory_total / 2**30) if gpu.memory_total else 0) for gpu in found)
    return ", ".join(
        f"{count}× {name}" + (f" {memory}G" if memory else "") for (name, memory), count in kinds.items()
    )


def system(node: NodeState) -> str:
    """Return the operating system's name, short."""
    if node.facts is None:
        return ""
    name = node.facts["os"]["name"] or node.facts["os"]["system"]
    return name.replace("Microsoft ", "").replace("GNU/Linux ", "")


def driver(node: NodeState) -> str:
    """Return the GPU driver's version."""
    gpus = node.facts["gpus"] if node.facts else []
    return next((gpu["driver"] for gpu in gpus if gpu["driver"]), "")


def cpu_load(node: NodeState) -> float | None:
    """Return the CPU's utilisation in percent."""
    return node.sample["cpu"]["util"] if node.sample else None
