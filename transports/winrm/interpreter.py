"""The Python interpreter of a command, under which the relay can run."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PYTHON = re.compile(r"(?:.*[/\\])?(?:py|pyw|pythonw?[\d.]*)(?:\.exe)?$", re.IGNORECASE)
#: The version argument of the launcher: ``py -3``, ``py -3.11-64``, ``py -V:3.11``.
_VERSION = re.compile(r"-(?:\d[\d.]*(?:-\d+)?|V:\S+)$")


def interpreter_words(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the leading words of ``argv`` that start Python; none if the command is another program."""
    if not _PYTHON.match(argv[0]):
        return ()
    launcher = re.fullmatch(r"(?:.*[/\\])?pyw?(?:\.exe)?", argv[0], re.IGNORECASE)
    if launcher and len(argv) > 1 and _VERSION.match(argv[1]):
        return (argv[0], argv[1])
    return (argv[0],)
