"""Every check, in the order of the matrix's columns; ``docs/preflight.md`` is generated from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, get_args

from msgspec import Struct

from agent.wire.message import Message, message
from fleet.errors import FleetError
from fleet.preflight.check import Check, Group
from fleet.preflight.checks import (
    deployed_code,
    environment,
    gpus,
    leftovers,
    machine,
    network,
    operating_system,
    ports,
    reach,
    run_plan,
    services,
    settings,
    torch_gpus,
    training,
)

#: Ports that the setup scripts open in every firewall; the first is the default rendezvous.
DEFAULT_PORTS: Final = (29500, 29501, 29502, 29503, 29504)
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
#: The groups that are checked before a deploy, and those that need one.
BEFORE: Final[tuple[Group, ...]] = ("reach", "ports", "machine")
AFTER: Final[tuple[Group, ...]] = ("environment",)

#: Every check but those of ports, in the order of the columns; a module's checks follow its evaluators.
_BEFORE_PORTS: Final = (*reach.NETWORK_CHECKS, *services.CHECKS, *reach.CHECKS)
_AFTER_PORTS: Final = (
    *operating_system.CHECKS,
    *gpus.CHECKS,
    *machine.CHECKS,
    *settings.CHECKS,
    *leftovers.CHECKS,
    *run_plan.CHECKS,
    *environment.CHECKS,
    *torch_gpus.CHECKS,
    *deployed_code.CHECKS,
    *training.CHECKS,
    *network.CHECKS,
)


class NoSuchCheck(FleetError):
    """A name is neither a check nor a group of checks."""


def checks_for(rendezvous: int = DEFAULT_PORTS[0]) -> tuple[Check, ...]:
    """Return all checks of a run with this rendezvous port, in the order of the columns."""
    return (*_BEFORE_PORTS, *ports.port_checks(ports_for(rendezvous)), *_AFTER_PORTS)


def ports_for(rendezvous: int) -> tuple[int, ...]:
    """Return the default ports, and the rendezvous port if it is not one of them."""
    return tuple(sorted({*DEFAULT_PORTS, rendezvous}))


def select(checks: Iterable[Check], wanted: Iterable[str]) -> tuple[Check, ...]:
    """Return the checks with these names (of checks or groups, or ``all``); raises NoSuchCheck."""
    everything, chosen = tuple(checks), set()
    for name in wanted:
        found = {check.name for check in everything if name in (check.name, check.group, "all")}
        if not found:
            raise _unknown(name, [*GROUPS, *(check.name for check in everything)])
        chosen |= found
    return tuple(check for check in everything if check.name in chosen)


def _unknown(name: str, known: list[str]) -> NoSuchCheck:
    what = message("check.unknown", "unknown check {name!r}", name=name)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return NoSuchCheck(
            what, remedy=message("check.unknown-similar.remedy", "did you mean {name!r}?", name=close[0])
        )
    return NoSuchCheck(what, remedy=message("check.unknown.remedy", "use one of {names}", names=known))


class Column(Struct, frozen=True):
    """A column of the console's matrix."""

    name: str
    title: Message
    group: Group
    why: Message


def columns(rendezvous: int = DEFAULT_PORTS[0]) -> tuple[Column, ...]:
    """Return all columns in their order."""
    return tuple(Column(check.name, check.title, check.group, check.why) for check in checks_for(rendezvous))
