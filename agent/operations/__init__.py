"""The operations of an agent: each is the function of its name in the module of its name."""

from __future__ import annotations

import importlib
from typing import Any, Callable

from agent.wire.message import message
from agent.wire.operation import Operation
from agent.wire.operations import OPERATIONS


class UnknownOperation(LookupError):
    """The console asked for something that this agent can't do; ``message`` is for the user."""

    def __init__(self, name: str) -> None:
        self.message = message(
            "agent.unknown-operation", "this agent has no operation {operation}", operation=ascii(name)[:60]
        )
        super().__init__(self.message)


def declared(name: str) -> Operation[Any, Any, Any, Any]:
    """Return what travels with the operation; raises UnknownOperation."""
    if name not in OPERATIONS:
        raise UnknownOperation(name)
    return OPERATIONS[name]


def find(name: str) -> Callable[[Any], Any]:
    """Return the function of a declared operation, importing its module on first use."""
    found: Callable[[Any], Any] = getattr(importlib.import_module("agent.operations." + name), name)
    return found
