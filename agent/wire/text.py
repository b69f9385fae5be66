"""Properties of texts, and names and paths within a text for the user."""

from __future__ import annotations

import re

_UNENCODABLE = re.compile("[\x00\ud800-\udfff]")


def fits_process(text: str) -> bool:
    """Return whether an argument or environment variable of a process can hold the text.

    It cannot hold a NUL character or half of a surrogate pair.
    """
    return _UNENCODABLE.search(text) is None


#: What can end a control string: BEL, CAN, SUB, ESC (which starts the next sequence) and ST.
_ENDS = ("\x07", "\x18", "\x1a", "\x1b", "\x9c")
#: A control sequence, or a string such as an OSC, that lasts beyond the end of its text.
_OPEN = re.compile(
    r"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c]*"
    r"|\x1b[ -/]*)\Z"
)
#: CAN cancels a sequence; every renderer drops it.
_CANCEL = "\x18"


def closed(text: str) -> str:
    """Return a text that ends the escape sequence which it has begun.

    Otherwise a terminal, and dtui's own renderer, would take the words that follow it for a part of the
    sequence, and hide them.
    """
    if text.isprintable():
        return text
    # Only behind the last end can a sequence be open. Without this the time grows as the square.
    start = max(0, *(text.rfind(end) for end in _ENDS))
    return text + _CANCEL if _OPEN.search(text, start) else text


def quote(text: str) -> str:
    """Return the text between quotation marks, control and invisible characters as escapes.

    Unlike repr() it leaves backslashes and quotation marks as they are, so that a Windows path, or a
    program's output that quotes one itself, is shown as it was written.
    """
    mark = '"' if "'" in text and '"' not in text else "'"
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return mark + text + mark
