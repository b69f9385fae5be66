"""What is known about one run and its ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from agent.wire.message import EMPTY, Message
from fleet.events import (
    Event,
    LogChunk,
    MetricsSeen,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunOutcome,
    RunPlanned,
)  # fmt: skip
from fleet.metrics_record import MetricsRecord
from fleet.state.series import Curve, recent

#: The phases of a training program in their order; ``running`` is one that reports none, but has printed.
PHASES = ("starting", "importing", "joining", "joined", "running", "training", "saving", "sampling", "done")
KEPT_CHECKPOINTS = 20


class Checkpoint(Struct, frozen=True):
    """A checkpoint that a rank reported."""

    step: int
    at: float
    record: MetricsRecord


class RankState(Struct, frozen=True):
    """One process of the run; ``phase`` is ``planned`` until it has started."""

    rank: int
    node: str
    local_rank: int
    phase: str = "planned"
    pid: int | None = None
    code: int | None = None
    stopped: bool = False
    #: How it ended is not known: its machine or its supervisor ended first, or is out of reach.
    lost: bool = False
    started: float | None = None
    ended: float | None = None
    #: When the rank last sent anything (a log line, a metric, a phase).
    last_seen: float | None = None
    #: The newest ``step`` record of its metrics.
    step: MetricsRecord | None = None
    #: Whether the program writes a metrics file; its printed figures do not count then.
    measured: bool = False
    #: Recent seconds per step.
    pace: tuple[float, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether its process runs, by the events so far."""
        return self.pid is not None and self.code is None and not self.lost

    @property
    def failed(self) -> bool:
        """Whether it exited with a code other than 0, and was not stopped."""
        return self.code is not None and self.code != 0 and not self.stopped


class RunState(Struct, frozen=True):
    """One run: its plan, its ranks, its loss, and how it ended (``outcome`` is empty while it runs)."""

    plan: RunPlanned
    ranks: Mapping[int, RankState]
    planned: float
    #: The lowest rank that has reported a step: its metrics represent the run.
    reporter: int | None = None
    loss: Curve = field(default_factory=Curve)
    checkpoints: tuple[Checkpoint, ...] = ()
    evaluation: MetricsRecord | None = None
    outcome: RunOutcome | Literal[""] = ""
    cause: Message = EMPTY
    remedy: Message = EMPTY
    finished: float | None = None

    @classmethod
    def planned_by(cls, event: RunPlanned) -> RunState:
        """Return the run that ``event`` lays out, nothing started yet."""
        ranks = {plan.rank: RankState(plan.rank, plan.node, plan.local_rank) for plan in event.ranks}
        return cls(event, ranks, event.at)

    @property
    def id(self) -> str:
        """The run's name."""
        return self.plan.run

    @property
    def active(self) -> bool:
        """Whether the run may still have processes on its nodes."""
        return not self.outcome

    @property
    def leader(self) -> MetricsRecord | None:
        """The newest step record of the reporter: the run's own figures."""
        return None if self.reporter is None else self.ranks[self.reporter].step

    @property
    def phase(self) -> str:
        """The phase that every rank which has not ended has reached: the one of the slowest."""
        phases = [rank.phase for rank in self.ranks.values() if rank.code is None and not rank.lost]
        order = ("planned", *PHASES)
        return min(phases, key=lambda phase: order.index(phase) if phase in order else 0, default="done")

    @property
    def first_failure(self) -> RankState | None:
        """The rank that failed first."""
        failures = [rank for rank in self.ranks.values() if rank.failed]
        return min(failures, key=lambda rank: rank.ended or 0.0, default=None)

    def after(self, event: Event) -> RunState:
        """Return the run after ``event``; events of other kinds change nothing."""
        step = _STEPS.get(type(event))
        return step(self, event) if step else self

    def _with_rank(self, number: int, node: str, **changes: Any) -> RunState:
        # A rank that is not in the plan can be from a file of a newer version: show it anyway.
        old = self.ranks.get(number) or RankState(number, node, 0)
        return replace(self, ranks={**self.ranks, number: replace(old, **changes)})


def _started(run: RunState, event: RankStarted) -> RunState:
    return run._with_rank(
        event.rank,
        event.node,
        pid=event.pid,
        phase="starting",
        code=None,
        stopped=False,
        lost=False,
        started=event.at,
        ended=None,
        last_seen=event.at,
    )


def _phase(run: RunState, event: RankPhase) -> RunState:
    return run._with_rank(event.rank, event.node, phase=event.phase, last_seen=event.at)


def _exited(run: RunState, event: RankExited) -> RunState:
    code = None if event.lost else event.code
    return run._with_rank(
        event.rank, event.node, code=code, stopped=event.stopped, lost=event.lost, ended=event.at
    )


def _heard(run: RunState, event: LogChunk) -> RunState:
    rank = run.ranks.get(event.rank)
    if rank is not None and rank.phase == "starting" and event.data.strip():
        return run._with_rank(event.rank, event.node, last_seen=event.at, phase="running")
    # Once a second is enough to detect a silent rank, and spares a state for each chunk.
    if rank is not None and rank.last_seen is not None and event.at - rank.last_seen < 1.0:
        return run
    return run._with_rank(event.rank, event.node, last_seen=event.at)


def _measured(run: RunState, event: MetricsSeen) -> RunState:
    record = event.record
    if record.kind == "step":
        return _stepped(run, event)
    if record.kind == "phase" and record.phase:
        return run._with_rank(event.rank, event.node, phase=record.phase, last_seen=event.at)
    if record.kind == "ckpt":
        checkpoint = Checkpoint(record.step or 0, event.at, record)
        run = replace(run, checkpoints=(*run.checkpoints, checkpoint)[-KEPT_CHECKPOINTS:])
    elif record.kind == "eval":
        run = replace(run, evaluation=record)
    return run._with_rank(event.rank, event.node, last_seen=event.at)


def _stepped(run: RunState, event: MetricsSeen) -> RunState:
    record = event.record
    rank = run.ranks.get(event.rank) or RankState(event.rank, event.node, 0)
    if event.source == "output" and rank.measured:
        return run._with_rank(event.rank, event.node, last_seen=event.at)
    seconds = record.step_time
    pace = recent(rank.pace, seconds) if seconds is not None and math.isfinite(seconds) else rank.pace
    phase = rank.phase if rank.phase in ("saving", "sampling") else "training"
    measured = rank.measured or event.source == "file"
    moved = run._with_rank(
        event.rank, event.node, step=record, pace=pace, phase=phase, last_seen=event.at, measured=measured
    )
    loss, step = record.loss, record.step
    if run.reporter is not None and event.rank > run.reporter:
        return moved
    curve = run.loss if event.rank == run.reporter else Curve()
    if loss is not None and step is not None:
        curve = curve.after(float(step), loss)
    return replace(moved, reporter=event.rank, loss=curve)


def _finished(run: RunState, event: RunFinished) -> RunState:
    ranks = {number: replace(rank, lost=rank.lost or rank.alive) for number, rank in run.ranks.items()}
    return replace(
        run, ranks=ranks, outcome=event.outcome, cause=event.cause, remedy=event.remedy, finished=event.at
    )


_STEPS: dict[type[Event], Callable[[RunState, Any], RunState]] = {
    RankStarted: _started,
    RankPhase: _phase,
    RankExited: _exited,
    LogChunk: _heard,
    MetricsSeen: _measured,
    RunFinished: _finished,
}
