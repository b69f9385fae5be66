"""How much of a GPU works for the run: by the run's own process ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fleet.frozen import frozen


@frozen
class Share:
    """``percent`` of the GPU that trains; None where it can't be known.

    ``exact`` is False when it was split by memory, since the driver does not tell each process's load.
    """

    percent: float | None
    exact: bool = True
    #: Processes on the GPU that are not of the run.
    foreign: tuple[int, ...] = ()


def training_share(gpu: Mapping[str, Any], own: Collection[int]) -> Share:
    """Return the share of the processes ``own`` in a GPU's utilisation."""
    util, processes = gpu.get("util"), gpu.get("processes")
    if util is None or processes is None:
        return Share(None)
    ours = [process for process in processes if process["pid"] in own]
    foreign = tuple(process["pid"] for process in processes if process["pid"] not in own)
    if not ours:
        return Share(0.0, foreign=foreign)
    if not foreign:
        return Share(float(util))
    for key in ("util", "memory"):
        parts = [(process.get(key), process["pid"] in own) for process in processes]
        total = sum(part for part, _ in parts if part is not None)
        if total and all(part is not None for part, _ in parts):
            mine = sum(part for part, is_ours in parts if is_ours)
            return Share(util * mine / total, exact=key == "util", foreign=foreign)
    return Share(None, foreign=foreign)
