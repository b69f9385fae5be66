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

    ``at`` is its last sign of life. Used inside the watch only.
    """

    reason: Message = EMPTY


class NodeEnded(Event, frozen=True, kw_only=True):
    """No further events follow from this node. Used inside the watch only.

    ``state`` is one of the agent's (succeeded, failed, stopped, lost), missing or unreachable; ``since``:
    when it got out of reach.
    """

    state: str
    since: float | None = None
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
    #: A node is out of reach. Its ranks may be well, so another failure is the cause, if there is one.
    unreachable: bool = False
    #: The rank whose own failure this one explains.
    explains: int | None = None
    #: The ranks' output adds nothing to it.
    final: bool = False


@dataclass(slots=True)
class WatchState:
    """A failed run is ended on all its nodes, because the other ranks would only hang."""

    failures: list[Failure] = field(default_factory=list)
    ended: dict[str, NodeEnded] = field(default_factory=dict)
    failing: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, failure: Failure) -> None:
        """Note a reason to end the run (see :func:`fleet.runs.verdict.cause_of`)."""
        self.failures.append(failure)
        self.failing.set()
