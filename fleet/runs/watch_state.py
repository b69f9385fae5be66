"""State shared by the watches of a run's nodes: failures of the run, and nodes that have ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from msgspec import Struct

from agent.wire.message import EMPTY, Message
from agent.wire.runs import Observed
from fleet.events import Event


class SupervisorLost(Event, frozen=True, kw_only=True):
    """The node's supervisor has ended before its ranks, which dtui then ends.

    Used inside the watch only.
    """


class NodeEnded(Event, frozen=True, kw_only=True):
    """No further events follow from this node. Used inside the watch only.

    ``state`` is one of the agent's (succeeded, failed, stopped, lost), missing or unreachable.
    """

    state: str
    error: Message = EMPTY
    remedy: Message = EMPTY


class RankObserved(Event, frozen=True, kw_only=True):
    """The state of a rank as its observer reports it (agent.observer). Used inside the watch only."""

    rank: int
    #: Times are the master's.
    observed: Observed


class Failure(Struct, frozen=True):
    """Why a run failed, and at what time (of the master)."""

    at: float
    cause: Message
    remedy: Message = EMPTY
    #: The rank that ended, if one did.
    rank: int | None = None


@dataclass(slots=True)
class WatchState:
    """A failed run is ended on all its nodes, because the other ranks would only hang."""

    failures: list[Failure] = field(default_factory=list)
    ended: dict[str, NodeEnded] = field(default_factory=dict)
    failing: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, failure: Failure) -> None:
        """Record a reason to end the run; the earliest one is its cause."""
        self.failures.append(failure)
        self.failing.set()

    @property
    def cause(self) -> Failure | None:
        """The earliest failure."""
        return min(self.failures, key=lambda failure: failure.at, default=None)
