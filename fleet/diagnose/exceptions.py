"""The exception that ended a Python program, from its traceback."""

from __future__ import annotations

import re

_TRACEBACK = "Traceback (most recent call last)"
#: torch puts the rank before every line of a traceback.
_RANK = re.compile(r"^\[rank\d+\]: ?")


def exception_of(text: str) -> str:
    """Return the last traceback's exception, ``ValueError: no such column``; empty without one."""
    found, inside = "", False
    for whole in text.splitlines():
        line = _RANK.sub("", whole)
        if line.startswith(_TRACEBACK):
            inside = True
        elif inside and line and not line[0].isspace():
            found, inside = line.strip(), False
    return found
