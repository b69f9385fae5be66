"""What a login on this node sets for training: variables that are often forgotten on some nodes."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional

from agent.environments.login import login
from agent.wire.known_variables import is_known, may_be_secret
from agent.wire.message import MessageData, to_data

_MOST = 100
#: Characters of one value.
_LONGEST = 500


class LoginSettings(NamedTuple):
    """The value is None where it may be a secret; ``problem`` is why variables are missing."""

    variables: Dict[str, Optional[str]]
    problem: Optional[MessageData]


def settings() -> LoginSettings:
    """Return the known variables of a fresh login."""
    found = login()
    chosen = sorted((name, value) for name, value in found.variables.items() if is_known(name))[:_MOST]
    return LoginSettings(
        {name: None if may_be_secret(name, value) else value[:_LONGEST] for name, value in chosen},
        None if found.problem is None else to_data(found.problem),
    )
