"""What the samples of a fleet and the records of its ranks mean together, as of the newest event."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.events import (
    Event,
    MetricsSeen,
    RankExited,
    RankStarted,
    RunFinished,
    RunPlanned,
    TelemetrySampled,
)
from fleet.telemetry.energy import EnergyMeter, cost
from fleet.telemetry.lights import Light, lights_of, mean_util, network_use
from fleet.telemetry.series import gpus_of
from fleet.telemetry.settings import TelemetrySettings
from fleet.telemetry.shares import Share, training_share
from fleet.telemetry.steps import Bound, StepWindow, Straggler, bound_of, straggler_of


@dataclass(frozen=True, slots=True)
class NodeMeaning:
    """One node: its lights, what holds it up, and for each GPU how much of it trains and for which ranks."""

    node: str
    lights: tuple[Light, ...]
    bound: Bound
    shares: Mapping[int, Share]
    ranks: Mapping[int, tuple[int, ...]]
    joules: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """The whole run; ``joules`` and ``cost`` are of its GPUs since it started."""

    nodes: Mapping[str, NodeMeaning]
    bound: Bound
    straggler: Straggler | None
    joules: float
    cost: float | None
    currency: str


@dataclass
class _Watched:
    samples: deque[tuple[float, Mapping[str, Any]]] = field(default_factory=deque)
    energy: EnergyMeter = field(default_factory=EnergyMeter)


class Meter:
    """Takes events in their order; :meth:`meaning` may be asked at any time."""

    def __init__(self, settings: TelemetrySettings | None = None) -> None:
        self._settings = settings or TelemetrySettings()
        self._nodes: dict[str, _Watched] = {}
        self._places: dict[int, str] = {}
        self._pids: dict[int, tuple[str, int]] = {}
        self._steps = StepWindow(self._settings.window)

    def take(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, TelemetrySampled):
            self._sampled(event)
        elif isinstance(event, MetricsSeen) and event.record.get("kind", "step") == "step":
            self._steps.take(event.at, event.rank, event.record)
        elif isinstance(event, RunPlanned):
            # Energy is counted anew: another run, another bill.
            self._nodes = {name: _Watched(watched.samples) for name, watched in self._nodes.items()}
            self._places = {rank.rank: rank.node for rank in event.ranks}
            self._pids = {}
            self._steps = StepWindow(self._settings.window)
        elif isinstance(event, RankStarted):
            self._places[event.rank] = event.node
            self._pids[event.rank] = (event.node, event.pid)
        elif isinstance(event, RankExited):
            self._pids.pop(event.rank, None)
        elif isinstance(event, RunFinished):
            self._pids = {}

    def meaning(self) -> Meaning:
        """Return what all events so far mean."""
        settings = self._settings
        nodes = {name: self._node(name, watched) for name, watched in self._nodes.items()}
        samples = [sample for watched in self._nodes.values() for _, sample in watched.samples]
        steps = self._steps.of(self._places)
        joules = sum(node.joules for node in nodes.values())
        return Meaning(
            nodes=nodes,
            bound=bound_of(steps, settings, mean_util(samples), network_use(samples)),
            straggler=straggler_of(self._steps.ranks, settings.straggler),
            joules=joules,
            cost=cost(joules, settings.price_per_kwh),
            currency=settings.currency,
        )

    def _sampled(self, event: TelemetrySampled) -> None:
        watched = self._nodes.setdefault(event.node, _Watched())
        watched.samples.append((event.at, event.sample))
        while watched.samples[0][0] < event.at - self._settings.window:
            watched.samples.popleft()
        if any(node == event.node for node, _ in self._pids.values()):
            watched.energy.take(event.at, event.sample)
        self._steps.forget(event.at)

    def _node(self, name: str, watched: _Watched) -> NodeMeaning:
        samples = [sample for _, sample in watched.samples]
        own = {pid: rank for rank, (node, pid) in self._pids.items() if node == name}
        steps = self._steps.of(rank for rank, node in self._places.items() if node == name)
        bound = bound_of(steps, self._settings, mean_util(samples), network_use(samples))
        gpus = dict(gpus_of(samples[-1])) if samples else {}
        return NodeMeaning(
            node=name,
            lights=lights_of(samples, bound, self._settings, training=bool(own)),
            bound=bound,
            shares={index: training_share(gpu, own) for index, gpu in gpus.items()},
            ranks={
                index: tuple(own[item["pid"]] for item in gpu.get("processes") or () if item["pid"] in own)
                for index, gpu in gpus.items()
            },
            joules=watched.energy.joules,
            cost=cost(watched.energy.joules, self._settings.price_per_kwh),
        )
