"""Which words of a command are the Python interpreter, so that the relay can run under it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PYTHON = re.compile(r"(?:.*[/\\])?(?:py|pyw|pythonw?[\d.]*)(?:\.exe)?$", re.IGNORECASE)
#: The launcher's choice of a version: ``py -3``, ``py -3.11-64``, ``py -V:3.11``.
_VERSION = re.compile(r"-(?:\d[\d.]*(?:-\d+)?|V:\S+)$")


def interpreter(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the leading words that start Python, none when the command is another program."""
    if not _PYTHON.match(argv[0]):
        return ()
    launcher = re.fullmatch(r"(?:.*[/\\])?pyw?(?:\.exe)?", argv[0], re.IGNORECASE)
    if launcher and len(argv) > 1 and _VERSION.match(argv[1]):
        return (argv[0], argv[1])
    return (argv[0],)
