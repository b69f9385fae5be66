"""The operations that the console starts, and what each requires: one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from fleet.state import FleetState


class Operation(StrEnum):
    """An operation of the console. At most one of each runs at a time; the top bar shows the value."""

    WATCH = "watch"
    PROBE = "probe"
    PREFLIGHT = "preflight"
    FIX = "fix"
    PLAN = "plan"
    DEPLOY = "deploy"
    UP = "up"
    LAUNCH = "launch"
    ATTACH = "attach"
    STOP = "stop"
    SAMPLE = "sample"
    STACKS = "stacks"

    @property
    def rule(self) -> Rule:
        """What it requires, and how it is treated while it is active."""
        return RULES[self]


class Requirement(StrEnum):
    """What must hold in the fleet's state before an operation is started."""

    NODES = "nodes"
    ACTIVE_RUN = "active run"
    NO_ACTIVE_RUN = "no active run"

    def is_met(self, state: FleetState) -> bool:
        """Return whether it holds in this state."""
        if self is Requirement.NODES:
            return bool(state.nodes)
        active = state.run is not None and state.run.active
        return active == (self is Requirement.ACTIVE_RUN)


class Rule(Struct, frozen=True):
    """A row of the table."""

    requires: tuple[Requirement, ...] = ()
    #: Operations that must not be active when it is started, in addition to itself.
    excludes: tuple[Operation, ...] = ()
    #: Its stream follows a run to its end.
    follows_run: bool = False
    #: Quitting the console would interrupt it, so quitting asks first.
    needs_console: bool = False
    #: It runs all the time: it is not shown, and the user does not cancel it.
    background: bool = False

    def unmet(self, state: FleetState) -> Requirement | None:
        """Return the first requirement that does not hold."""
        return next((one for one in self.requires if not one.is_met(state)), None)


_NODES = (Requirement.NODES,)
RULES: Mapping[Operation, Rule] = {
    Operation.WATCH: Rule(background=True),
    Operation.PROBE: Rule(_NODES),
    # A fix is followed by its check: two concurrent checks would report twice.
    Operation.PREFLIGHT: Rule(_NODES, excludes=(Operation.FIX,)),
    Operation.FIX: Rule(_NODES, excludes=(Operation.PREFLIGHT,), needs_console=True),
    Operation.PLAN: Rule(_NODES),
    Operation.DEPLOY: Rule(_NODES, needs_console=True),
    Operation.UP: Rule((*_NODES, Requirement.NO_ACTIVE_RUN), follows_run=True, needs_console=True),
    Operation.LAUNCH: Rule(_NODES, follows_run=True, needs_console=True),
    Operation.ATTACH: Rule(follows_run=True),
    Operation.STOP: Rule((Requirement.ACTIVE_RUN,)),
    Operation.SAMPLE: Rule(),
    Operation.STACKS: Rule(),
}
