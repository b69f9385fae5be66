"""Which shell runs the commands of a login, found by one command that each shell answers differently."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

ShellKind = Literal["powershell", "cmd", "posix", "csh", "unknown"]
#: fish answers like a POSIX shell.
PROBE = 'echo "$PSEdition" %COMSPEC%'


@dataclass(frozen=True, slots=True)
class LoginShell:
    """``held`` is whether it ran the command late, or only after the end of its input.

    A start file of the account that takes long, or that reads input, is the cause of that.
    """

    kind: ShellKind
    held: bool = False


#: The text before comes from start files, and the last line that fits counts.
_ANSWERS: tuple[tuple[ShellKind, re.Pattern[str]], ...] = (
    # PowerShell prints each word on its own line. Without double quotes the words are the same.
    ("powershell", re.compile(r"^(?:Core|Desktop)\r*\n+%COMSPEC%\s*$", re.MULTILINE)),
    ("cmd", re.compile(r'^"?\$PSEdition"? (?!%COMSPEC%)\S.*$', re.MULTILINE)),
    ("posix", re.compile(r"^ ?%COMSPEC%\s*$", re.MULTILINE)),
)
_CSH = "PSEdition: Undefined variable"


def shell_kind(stdout: bytes, stderr: bytes) -> ShellKind:
    """Return the shell by its answer to PROBE."""
    text = stdout.decode("utf-8", "replace")
    for kind, answer in _ANSWERS:
        if answer.search(text):
            return kind
    return "csh" if _CSH in stderr.decode("utf-8", "replace") else "unknown"
