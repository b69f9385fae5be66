"""The bottleneck of a run and a straggler among its ranks, from the ranks' step records."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median

from msgspec import Struct

from fleet.metrics_record import MetricsRecord
from fleet.telemetry.settings import TelemetrySettings

#: With fewer steps no straggler is reported.
_ENOUGH = 3


class Step(Struct, frozen=True):
    """One step of one rank, in seconds: the whole, and in it waiting for data and for the other ranks."""

    at: float
    whole: float
    data: float | None = None
    communication: float | None = None


class Bottleneck(Struct, frozen=True):
    """What a run waits for: ``kind`` is data, communication, host, compute or unknown; shares in percent."""

    kind: str
    data: float | None = None
    communication: float | None = None


class Straggler(Struct, frozen=True):
    """The rank that the others wait for: its own seconds per step compared with the others' median."""

    rank: int
    own: float
    usual: float
    #: data when the excess is waiting for data, else compute.
    reason: str


class StepWindow:
    """The steps of the last ``seconds`` of every rank."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._steps: dict[int, deque[Step]] = {}

    def add(self, at: float, rank: int, record: MetricsRecord) -> None:
        """Add a metrics record if it has the time of a step."""
        whole = _seconds(record.step_time)
        if not whole:
            return
        steps = self._steps.setdefault(rank, deque())
        steps.append(Step(at, whole, _seconds(record.data_time), _seconds(record.comm_time)))
        self.forget(at)

    def forget(self, now: float) -> None:
        """Drop steps that are older than the window."""
        for steps in self._steps.values():
            while steps and steps[0].at < now - self._seconds:
                steps.popleft()

    def of(self, ranks: Iterable[int]) -> list[Step]:
        """Return the steps of some ranks."""
        return [step for rank in ranks for step in self._steps.get(rank, ())]

    @property
    def ranks(self) -> Mapping[int, Iterable[Step]]:
        """The steps by rank."""
        return self._steps


def bottleneck_of(
    steps: list[Step], settings: TelemetrySettings, util: float | None, network: float | None
) -> Bottleneck:
    """Return the bottleneck of the steps.

    ``util`` is the GPUs' mean, ``network`` the share of the adapter in use, both in percent: without
    records of waiting, a busy network with idle GPUs shows the same.
    """
    data = _share(steps, [step.data for step in steps])
    communication = _share(steps, [step.communication for step in steps])
    shares = {"data": (data, settings.data), "communication": (communication, settings.communication)}
    waits = {kind: share for kind, (share, band) in shares.items() if share and band.status(share) != "ok"}
    if waits:
        return Bottleneck(max(waits, key=lambda kind: waits[kind]), data, communication)
    idle = util is not None and settings.gpu.status(util) == "fail"
    if not steps and not idle:
        return Bottleneck("unknown", data, communication)
    if idle and network is not None and settings.network.status(network) != "ok":
        return Bottleneck("communication", data, communication)
    if idle:
        # Neither data nor the other ranks are waited for, and yet the GPU is idle: Python, or the CPU.
        return Bottleneck("host" if steps else "unknown", data, communication)
    return Bottleneck("compute", data, communication)


def straggler_of(ranks: Mapping[int, Iterable[Step]], factor: float) -> Straggler | None:
    """Return the rank whose own work takes ``factor`` times the others' median, if one does.

    In a synchronous step all ranks take the same time; the slow one is the one that does not wait.
    """
    own: dict[int, float] = {}
    data: dict[int, float] = {}
    for rank, steps in ranks.items():
        measured = [
            (step.whole - step.communication, step.data or 0.0)
            for step in steps
            if step.communication is not None
        ]
        if len(measured) >= _ENOUGH:
            own[rank] = median(work for work, _ in measured)
            data[rank] = median(wait for _, wait in measured)
    if len(own) < 2:
        return None
    slowest = max(own, key=lambda rank: own[rank])
    usual = median(own[rank] for rank in own if rank != slowest)
    if usual <= 0 or own[slowest] < usual * factor:
        return None
    waited = data[slowest] - median(data[rank] for rank in data if rank != slowest)
    reason = "data" if waited > (own[slowest] - usual) / 2 else "compute"
    return Straggler(slowest, own[slowest], usual, reason)


def _share(steps: list[Step], parts: list[float | None]) -> float | None:
    measured = [(part, step.whole) for part, step in zip(parts, steps, strict=True) if part is not None]
    return 100 * sum(part for part, _ in measured) / sum(whole for _, whole in measured) if measured else None


def _seconds(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < math.inf else None
