"""Properties of texts, and names and paths within a text for the user."""

from __future__ import annotations

import re

_UNENCODABLE = re.compile("[\x00\ud800-\udfff]")


def fits_process(text: str) -> bool:
    """Return whether an argument or environment variable of a process can hold the text.

    It cannot hold a NUL character or half of a surrogate pair.
    """
    return _UNENCODABLE.search(text) is None


def quote(text: str) -> str:
    """Return the text between quotation marks, control and invisible characters as escapes.

    Unlike repr() it leaves backslashes and quotation marks as they are, so that a Windows path, or a
    program's output that quotes one itself, is shown as it was written.
    """
    mark = '"' if "'" in text and '"' not in text else "'"
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return mark + text + mark
