"""Facts and load of a node as a screen needs them; whatever is missing is None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fleet.frozen import frozen
from fleet.state import NodeState


@frozen
class Gpu:
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


def gpus(node: NodeState) -> list[Gpu]:
    """Return the node's GPUs, load and history included as far as known."""
    probed = {int(gpu.get("index", i)): gpu for i, gpu in enumerate(node.facts.get("gpus") or [])}
    found = []
    for position, sample in enumerate(node.gpus):
        index = int(sample.get("index", position))
        facts = {
            **probed.get(index, {}),
            **{key: value for key, value in sample.items() if value is not None},
        }
        found.append(_gpu(index, facts, node.gpu_history.get(index, ())))
    return found


def _gpu(index: int, facts: Mapping[str, Any], history: tuple[float, ...]) -> Gpu:
    name = str(facts.get("name") or "GPU").replace("NVIDIA ", "").replace("GeForce ", "")
    return Gpu(
        index,
        name,
        facts.get("util"),
        facts.get("memory_used"),
        facts.get("memory_total"),
        facts.get("power"),
        facts.get("power_cap"),
        facts.get("temperature"),
        facts.get("clock"),
        history,
    )


def gpu_summary(node: NodeState) -> str:
    """Return ``8× RTX 4090 24G``; empty when nothing is known, ``none`` is the caller's word."""
    found = gpus(node)
    kinds = Counter((gpu.name, round(gpu.memory_total / 2**30) if gpu.memory_total else 0) for gpu in found)
    return ", ".join(
        f"{count}× {name}" + (f" {memory}G" if memory else "") for (name, memory), count in kinds.items()
    )


def system(node: NodeState) -> str:
    """Return the operating system's name, short."""
    facts = node.facts.get("os") or {}
    name = str(facts.get("name") or facts.get("system") or "")
    return name.replace("Microsoft ", "").replace("GNU/Linux ", "")


def driver(node: NodeState) -> str:
    """Return the GPU driver's version."""
    for gpu in node.facts.get("gpus") or []:
        if gpu.get("driver"):
            return str(gpu["driver"])
    return str(node.facts.get("driver") or "")


def part(node: NodeState, group: str, key: str) -> Any:
    """Return one value of a group of facts, None when group or value is missing."""
    found = node.facts.get(group)
    return found.get(key) if isinstance(found, Mapping) else None


def cpu_load(node: NodeState) -> float | None:
    """Return the CPU's utilisation in percent."""
    value = (node.sample.get("cpu") or {}).get("util")
    return None if value is None else float(value)
