"""The share of a GPU that works for the run, by the run's process ids."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from agent.wire.gpu import Gpu


class Share(Struct, frozen=True):
    """``percent`` of the GPU that trains; None if it is unknown.

    ``exact`` is False when it was split by memory, since the driver does not report the load per process.
    """

    percent: float | None
    exact: bool = True
    #: Processes on the GPU that are not of the run.
    foreign: tuple[int, ...] = ()


def training_share(gpu: Gpu, own: Collection[int]) -> Share:
    """Return the share of the processes ``own`` in a GPU's utilisation."""
    util, processes = gpu["util"], gpu["processes"]
    if util is None or processes is None:
        return Share(None)
    ours = [process for process in processes if process["pid"] in own]
    foreign = tuple(process["pid"] for process in processes if process["pid"] not in own)
    if not ours:
        return Share(0.0, foreign=foreign)
    if not foreign:
        return Share(float(util))
    by_load = [(process["util"], process["pid"] in own) for process in processes]
    by_memory = [(process["memory"], process["pid"] in own) for process in processes]
    for parts, exact in ((by_load, True), (by_memory, False)):
        known = [(part, is_ours) for part, is_ours in parts if part is not None]
        total = sum(part for part, _ in known)
        if total and len(known) == len(parts):
            mine = sum(part for part, is_ours in known if is_ours)
            return Share(util * mine / total, exact=exact, foreign=foreign)
    return Share(None, foreign=foreign)
