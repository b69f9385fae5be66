"""The variables that a fresh login of this user gets on this node, however dtui was started or logged in.

Variables of other Pythons are left out. See :mod:`agent.environments.posix_login` and
:mod:`agent.environments.windows_login` for where the others come from.
"""

from __future__ import annotations

import sys
from typing import Dict, NamedTuple, Optional

from agent.wire.message import Message

#: Variables of other Pythons: with them a program could load the packages of another environment.
_FOREIGN = (
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PROJECT_ENVIRONMENT",
    "__PYVENV_LAUNCHER__",
)
_FOREIGN_PREFIXES = ("CONDA_", "_CONDA_", "_CE_")


class Login(NamedTuple):
    """The variables of a login; ``problem`` is why some of them are missing."""

    variables: Dict[str, str]
    problem: Optional[Message]


def login() -> Login:
    """Return the variables of a fresh login of this user, on Windows with names in upper case."""
    if sys.platform == "win32":
        from agent.environments.windows_login import user_variables
    else:
        from agent.environments.posix_login import user_variables
    variables, problem = user_variables()
    return Login({name: value for name, value in variables.items() if not _is_foreign(name)}, problem)


def _is_foreign(name: str) -> bool:
    name = name.upper()
    return name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)
