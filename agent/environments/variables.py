"""The environment of the project's programs: ranks, setup commands and the installation."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, NamedTuple

from agent.environments.activation import activated
from agent.environments.expansion import Unresolvable, expanded
from agent.environments.login import login
from agent.paths import WINDOWS
from agent.wire.message import Message, message


class VariablesError(Exception):
    """The user's variables cannot be used on this node; ``message`` has the reason."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class Variables(NamedTuple):
    """All variables, and warnings about them."""

    environment: Dict[str, str]
    warnings: List[Message]


def environment_of(interpreter: str, own: Mapping[str, str], secrets: Mapping[str, str]) -> Variables:
    """Return a fresh login's variables with the environment active, the user's secrets, and the user's
    ``own``.

    References in ``own`` are resolved here (see :mod:`agent.environments.expansion`), in ``secrets`` never.
    Raises VariablesError.
    """
    found = login()
    base = activated(found.variables, interpreter)
    notes = [] if found.problem is None else [found.problem]
    try:
        values, unset = expanded(own, base, os.path.expanduser("~"), WINDOWS)
    except Unresolvable as error:
        if error.circular:
            raise VariablesError(
                message(
                    "variables.circular",
                    "env {name} refers to another variable of `env` that refers to it",
                    name=error.name,
                )
            ) from None
        raise VariablesError(
            message(
                "variables.too-long",
                "the variable {name} is too long with its references resolved",
                name=error.name,
            )
        ) from None
    notes += [
        message(
            "variables.unset",
            "env {variable}: {name} has no value on this node, so ${name} is empty",
            variable=variable,
            name=name,
        )
        for variable, name in unset
    ]
    own_secrets = {(name.upper() if WINDOWS else name): value for name, value in secrets.items()}
    return Variables({**base, **own_secrets, **values}, notes)
