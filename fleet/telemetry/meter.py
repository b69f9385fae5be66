"""The load of a fleet and its runs, summarized from the samples of nodes and the records of ranks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from agent.wire.telemetry import Sample
from fleet.events import (
    Event,
    MetricsSeen,
    RankExited,
    RankStarted,
    RunFinished,
    RunPlanned,
    TelemetrySampled,
)
from fleet.telemetry.energy import cost
from fleet.telemetry.health import Indicator, indicators_of, mean_util, network_use
from fleet.telemetry.settings import TelemetrySettings
from fleet.telemetry.shares import Share, training_share
from fleet.telemetry.steps import Bottleneck, Step, StepWindow, Straggler, bottleneck_of, straggler_of
from fleet.telemetry.tally import Tally

#: Number of runs kept in memory: the active one, and earlier ones that the user views.
KEPT_RUNS = 4

#: Run -> what earlier consoles have recorded of it, by node.
Before = Callable[[str], Mapping[str, Tally]]


class NodeLoad(Struct, frozen=True):
    """One node: its indicators and bottleneck, and for each GPU the share that trains and its ranks."""

    node: str
    indicators: tuple[Indicator, ...]
    bottleneck: Bottleneck
    shares: Mapping[int, Share]
    ranks: Mapping[int, tuple[int, ...]]
    joules: float
    cost: float | None


class LoadSummary(Struct, frozen=True):
    """A run and its nodes; ``joules``, ``cost`` and ``training`` are of its GPUs since it started.

    ``training`` is the percentage of their time that went into the run; None when it is unknown.
    """

    nodes: Mapping[str, NodeLoad]
    bottleneck: Bottleneck
    straggler: Straggler | None
    joules: float
    cost: float | None
    currency: str
    training: float | None = None


@dataclass
class _Watched:
    """The samples of a node within the window, by time."""

    samples: deque[tuple[float, Sample]] = field(default_factory=deque)

    @property
    def values(self) -> list[Sample]:
        return [sample for _, sample in self.samples]


@dataclass
class _Run:
    """A run after the events so far."""

    steps: StepWindow
    places: dict[int, str] = field(default_factory=dict)
    #: Rank -> its node and its processes: the one that was started, and the one that reports that it trains
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
    """Summarizes events, which are added in their order; :meth:`summary` is valid at any time."""

    def __init__(self, settings: TelemetrySettings | None = None, before: Before | None = None) -> None:
        self._settings = settings or TelemetrySettings()
        self._before = before
        self._nodes: dict[str, _Watched] = {}
        self._runs: dict[str, _Run] = {}

    def add(self, event: Event) -> None:
        """Add an event."""
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

    def summary(self, run: str = "") -> LoadSummary:
        """Return the summary of all events so far for ``run`` (empty: the newest)."""
        settings = self._settings
        name = run or next(reversed(self._runs), "")
        followed = self._runs.get(name) or _Run(StepWindow(settings.window))
        nodes = {name: self._node(name, watched, followed) for name, watched in self._nodes.items()}
        # The present load of the nodes is not that of a run that is over.
        watched = [] if followed.over else list(self._nodes.values())
        samples = [sample for one in watched for sample in one.values]
        tallies = followed.tallies.values()
        joules = sum(tally.energy.joules for tally in tallies)
        known = sum(tally.known for tally in tallies)
        return LoadSummary(
            nodes=nodes,
            bottleneck=bottleneck_of(
                followed.steps.of(followed.places), settings, mean_util(samples), network_use(samples)
            ),
            straggler=straggler_of(followed.steps.ranks, settings.straggler),
            joules=joules,
            cost=cost(joules, settings.price_per_kwh),
            currency=settings.currency,
            training=100 * sum(tally.trained for tally in tallies) / known if known else None,
        )

    def add_all(self, events: Iterable[Event]) -> Meter:
        """Add a recording's events; returns itself."""
        for event in events:
            self.add(event)
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
        if record.kind == "step":
            run.steps.add(event.at, event.rank, record)
        elif (pid := record.pid) is not None and event.rank in run.pids:
            run.pids[event.rank][1].add(pid)

    def _sampled(self, event: TelemetrySampled) -> None:
        watched = self._nodes.setdefault(event.node, _Watched())
        watched.samples.append((event.at, event.sample))
        while watched.samples[0][0] < event.at - self._settings.window:
            watched.samples.popleft()
        for run in self._active_runs():
            if own := run.own(event.node):
                run.tallies.setdefault(event.node, Tally()).add(event.at, event.sample, own)
            run.steps.forget(event.at)

    def _active_runs(self) -> Iterable[_Run]:
        return [run for run in self._runs.values() if not run.over]

    def _node(self, name: str, watched: _Watched, followed: _Run) -> NodeLoad:
        """Return the present load of a node, of all active runs, and what ``followed`` used of it."""
        samples = watched.values
        own = {pid: rank for run in self._active_runs() for pid, rank in run.own(name).items()}
        steps = [step for run in self._active_runs() for step in run.steps_on(name)]
        bottleneck = bottleneck_of(steps, self._settings, mean_util(samples), network_use(samples))
        gpus = {gpu["index"]: gpu for gpu in samples[-1]["gpus"]} if samples else {}
        tally = followed.tallies.get(name)
        joules = tally.energy.joules if tally is not None else 0.0
        return NodeLoad(
            node=name,
            indicators=indicators_of(samples, bottleneck, self._settings, training=bool(own)),
            bottleneck=bottleneck,
            shares={index: training_share(gpu, own) for index, gpu in gpus.items()},
            ranks={
                index: tuple(own[item["pid"]] for item in gpu.get("processes") or () if item["pid"] in own)
                for index, gpu in gpus.items()
            },
            joules=joules,
            cost=cost(joules, self._settings.price_per_kwh),
        )
