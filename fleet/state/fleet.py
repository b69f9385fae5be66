"""The whole fleet as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from fleet.events import (
    CheckFinished,
    Event,
    LogChunk,
    MetricsSeen,
    Notice,
    PlanDrawn,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunPlanned,
    RunPreview,
    StacksRead,
    StageChanged,
)  # fmt: skip
from fleet.state.node import NodeState, begins_deploy
from fleet.state.run import RunState

KEPT_NOTICES = 200
KEPT_RUNS = 50

_OF_A_RUN = (RankStarted, RankPhase, RankExited, LogChunk, MetricsSeen, RunFinished)


class FleetState(Struct, frozen=True):
    """Everything a screen draws but the log lines (those are in :mod:`fleet.logbook`).

    ``after`` is a pure function: the same events give the same state, live, replayed or in a test.
    """

    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    #: Runs by name in the order in which they were planned.
    runs: Mapping[str, RunState] = field(default_factory=dict)
    #: The newest notices, and how many there have ever been.
    notices: tuple[Notice, ...] = ()
    noticed: int = 0
    #: Names of the checks seen so far, in the order in which they first had a result.
    checks: tuple[str, ...] = ()
    #: The plan that was drawn last.
    drawn: PlanDrawn | None = None
    #: The stacks that were read last, by node.
    stacks: Mapping[str, StacksRead] = field(default_factory=dict)
    #: The run that the last dry run would start, until a deploy begins.
    preview: RunPreview | None = None
    #: The run of the newest plan, or the one that is looked at.
    current: str = ""

    @classmethod
    def of(cls, names: Iterable[str]) -> FleetState:
        """Return the initial state of nodes, in the given order."""
        return cls(nodes={name: NodeState(name) for name in names})

    @property
    def run(self) -> RunState | None:
        """The current run, if there is one."""
        return self.runs.get(self.current)

    def node(self, name: str) -> NodeState:
        """Return the state of a node, an empty one if it is unknown."""
        return self.nodes.get(name) or NodeState(name)

    def with_nodes(self, names: Iterable[str]) -> FleetState:
        """Return the state for a changed inventory: nodes that remain keep their state."""
        return replace(self, nodes={name: self.node(name) for name in names})

    def looking_at(self, run: str) -> FleetState:
        """Return the state with a known run as the current one."""
        return replace(self, current=run) if run in self.runs else self

    def after(self, event: Event) -> FleetState:
        """Return the state after ``event``."""
        if isinstance(event, Notice):
            notices = (*self.notices, event)[-KEPT_NOTICES:]
            return replace(self, notices=notices, noticed=self.noticed + 1)
        if isinstance(event, PlanDrawn):
            return replace(self, drawn=event)
        if isinstance(event, StacksRead):
            return replace(self, stacks={**self.stacks, event.node: event})
        if isinstance(event, RunPreview):
            return replace(self, preview=event)
        if isinstance(event, RunPlanned):
            runs = {name: run for name, run in self.runs.items() if name != event.run}
            runs[event.run] = RunState.planned_by(event)
            while len(runs) > KEPT_RUNS:
                runs.pop(next(iter(runs)))
            return replace(self, runs=runs, current=event.run)
        if isinstance(event, _OF_A_RUN):
            run = self.runs.get(event.run)
            moved = run.after(event) if run is not None else None
            if moved is None or moved is run:
                return self
            return replace(self, runs={**self.runs, event.run: moved})
        if not event.node:
            return self
        node = self.node(event.node)
        state = replace(self, nodes={**self.nodes, event.node: node.after(event)})
        if isinstance(event, StageChanged) and begins_deploy(event):
            state = replace(state, preview=None)
        if isinstance(event, CheckFinished) and event.check not in self.checks:
            state = replace(state, checks=(*self.checks, event.check))
        return state

    def after_all(self, events: Iterable[Event]) -> FleetState:
        """Return the state after ``events``, one after the other."""
        state = self
        for event in events:
            state = state.after(event)
        return state
