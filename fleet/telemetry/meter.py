"""What the samples of a fleet and the records of its ranks mean together, as of the newest event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
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
from fleet.frozen import frozen
from fleet.telemetry.energy import cost
from fleet.telemetry.lights import Light, lights_of, mean_util, network_use
from fleet.telemetry.series import gpus_of
from fleet.telemetry.settings import TelemetrySettings
from fleet.telemetry.shares import Share, training_share
from fleet.telemetry.steps import Bound, Step, StepWindow, Straggler, bound_of, straggler_of
from fleet.telemetry.tally import Tally

#: Of so many runs something is remembered: one that goes on, and those that a person looks back at.
KEPT_RUNS = 4

#: Run -> what earlier consoles have counted of it, by node.
Before = Callable[[str], Mapping[str, Tally]]


@frozen
class NodeMeaning:
    """One node: its lights, what holds it up, and for each GPU how much of it trains and for which ranks."""

    node: str
    lights: tuple[Light, ...]
    bound: Bound
    shares: Mapping[int, Share]
    ranks: Mapping[int, tuple[int, ...]]
    joules: float
    cost: float | None


@frozen
class Meaning:
    """The whole run; ``joules``, ``cost`` and ``training`` are of its GPUs since it started.

    ``training`` is the percentage of their time that went into the run; None when it can't be told.
    """

    nodes: Mapping[str, NodeMeaning]
    bound: Bound
    straggler: Straggler | None
    joules: float
    cost: float | None
    currency: str
    training: float | None = None


@dataclass
class _Watched:
    """The samples of a node within the window, by time."""

    samples: deque[tuple[float, Mapping[str, Any]]] = field(default_factory=deque)

    @property
    def values(self) -> list[Mapping[str, Any]]:
        return [sample for _, sample in self.samples]


@dataclass
class _Run:
    """A run as far as its events have told it."""

    steps: StepWindow
    places: dict[int, str] = field(default_factory=dict)
    #: Rank -> its node and its processes: the one that was started, and the one that says it trains
    #: (a virtual environment's python.exe on Windows, uv and accelerate start another).
    pids: dict[int, tuple[str, set[int]]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    over: bool = False

    def own(self, node: str) -> dict[int, int]:
        """Return pid -> rank of the living processes on a node."""
        return {pid: rank for rank, (where, pids) in self.pids.items() if where == node for pid in pids}

    def steps_on(self, node: str) -> list[Step]:
        return self.steps.of(rank for rank, where in self.places.items() if where == node)


class Meter:
    """Takes events in their order; :meth:`meaning` may be asked at any time."""

    def __init__(self, settings: TelemetrySettings | None = None, before: Before | None = None) -> None:
        self._settings = settings or TelemetrySettings()
        self._before = before
        self._nodes: dict[str, _Watched] = {}
        self._runs: dict[str, _Run] = {}

    def take(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, TelemetrySampled):
            self._sampled(event)
        elif isinstance(event, RunPlanned):
            self._planned(event)
        elif isinstance(event, RankStarted):
            run = self._run(event.run)
            run.places[event.rank] = event.node
            run.pids[event.rank] = (event.node, {event.pid})
        elif isinstance(event, MetricsSeen):
            self._measured(event)
        elif isinstance(event, RankExited):
            self._run(event.run).pids.pop(event.rank, None)
        elif isinstance(event, RunFinished):
            run = self._run(event.run)
            run.pids.clear()
            run.over = True

    def tallies(self, run: str) -> Mapping[str, Tally]:
        """Return node -> what the run used of it so far."""
        return self._runs[run].tallies if run in self._runs else {}

    def meaning(self, run: str = "") -> Meaning:
        """Return what all events so far mean for ``run`` (empty: the newest), of an unknown one little."""
        settings = self._settings
        name = run or next(reversed(self._runs), "")
        followed = self._runs.get(name) or _Run(StepWindow(settings.window))
        nodes = {name: self._node(name, watched, followed) for name, watched in self._nodes.items()}
        # What the nodes do now says nothing about a run that is over.
        watched = [] if followed.over else list(self._nodes.values())
        samples = [sample for one in watched for sample in one.values]
        tallies = followed.tallies.values()
        joules = sum(tally.energy.joules for tally in tallies)
        known = sum(tally.known for tally in tallies)
        return Meaning(
            nodes=nodes,
            bound=bound_of(
                followed.steps.of(followed.places), settings, mean_util(samples), network_use(samples)
            ),
            straggler=straggler_of(followed.steps.ranks, settings.straggler),
            joules=joules,
            cost=cost(joules, settings.price_per_kwh),
            currency=settings.currency,
            training=100 * sum(tally.trained for tally in tallies) / known if known else None,
        )

    def take_all(self, events: Iterable[Event]) -> Meter:
        """Take a recording's events; returns itself."""
        for event in events:
            self.take(event)
        return self

    def _run(self, name: str) -> _Run:
        run = self._runs.get(name)
        if run is None:
            run = self._runs[name] = _Run(StepWindow(self._settings.window))
            while len(self._runs) > KEPT_RUNS:
                self._runs.pop(next(iter(self._runs)))
        return run

    def _planned(self, event: RunPlanned) -> None:
        self._runs.pop(event.run, None)
        run = self._run(event.run)
        run.places = {rank.rank: rank.node for rank in event.ranks}
        if self._before is not None:
            run.tallies = dict(self._before(event.run))

    def _measured(self, event: MetricsSeen) -> None:
        run, record = self._run(event.run), event.record
        if record.get("kind", "step") == "step":
            run.steps.take(event.at, event.rank, record)
        elif isinstance(pid := record.get("pid"), int) and event.rank in run.pids:
            run.pids[event.rank][1].add(pid)

    def _sampled(self, event: TelemetrySampled) -> None:
        watched = self._nodes.setdefault(event.node, _Watched())
        watched.samples.append((event.at, event.sample))
        while watched.samples[0][0] < event.at - self._settings.window:
            watched.samples.popleft()
        for run in self._going_on():
            if own := run.own(event.node):
                run.tallies.setdefault(event.node, Tally()).take(event.at, event.sample, own)
            run.steps.forget(event.at)

    def _going_on(self) -> Iterable[_Run]:
        return [run for run in self._runs.values() if not run.over]

    def _node(self, name: str, watched: _Watched, followed: _Run) -> NodeMeaning:
        """Return what a node does now, for whichever runs, and what ``followed`` used of it."""
        samples = watched.values
        own = {pid: rank for run in self._going_on() for pid, rank in run.own(name).items()}
        steps = [step for run in self._going_on() for step in run.steps_on(name)]
        bound = bound_of(steps, self._settings, mean_util(samples), network_use(samples))
        gpus = dict(gpus_of(samples[-1])) if samples else {}
        tally = followed.tallies.get(name)
        joules = tally.energy.joules if tally is not None else 0.0
        return NodeMeaning(
            node=name,
            lights=lights_of(samples, bound, self._settings, training=bool(own)),
            bound=bound,
            shares={index: training_share(gpu, own) for index, gpu in gpus.items()},
            ranks={
                index: tuple(own[item["pid"]] for item in gpu.get("processes") or () if item["pid"] in own)
                for index, gpu in gpus.items()
            },
            joules=joules,
            cost=cost(joules, self._settings.price_per_kwh),
        )
