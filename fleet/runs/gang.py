"""What the watchers of a run's nodes share: why the run has to end, and which nodes have ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from fleet.events import Event
from fleet.frozen import frozen


@frozen(kw_only=True)
class SupervisorLost(Event):
    """The node's supervisor is gone, and its ranks have to be ended without it. Inside the watch only."""


@frozen(kw_only=True)
class NodeEnded(Event):
    """Nothing more will come from this node. Inside the watch only, never for a reader or a file.

    ``state`` is one of the agent's (succeeded, failed, stopped, lost), missing or unreachable.
    """

    state: str
    error: str = ""
    remedy: str = ""


@frozen
class Failure:
    """Why a run failed: at what time (of the master), said for a person."""

    at: float
    cause: str
    remedy: str = ""
    #: The rank that ended, if one did.
    rank: int | None = None


@dataclass(slots=True)
class Gang:
    """The state of one watch. A failed run is ended on all its nodes, since the others would only hang."""

    failures: list[Failure] = field(default_factory=list)
    ended: dict[str, NodeEnded] = field(default_factory=dict)
    failing: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, failure: Failure) -> None:
        """Note a reason to end the run; the earliest is its cause."""
        self.failures.append(failure)
        self.failing.set()

    @property
    def cause(self) -> Failure | None:
        """The earliest failure."""
        return min(self.failures, key=lambda failure: failure.at, default=None)
