"""Text that is safe to send to a terminal, as a type of its own, and bounded in length."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NewType

from fleet.terminal.characters import is_safe
from fleet.terminal.line import render_text

#: Text that the renderer has made. A plain ``str`` does not pass for it: mypy refuses that.
SafeText = NewType("SafeText", str)

#: Characters of a line or cell, and of a message of several lines, that are shown; the rest is an ellipsis.
LINE_LIMIT = 4096
BLOCK_LIMIT = 16_384
_ELLIPSIS = "…"
#: Characters of raw text read for each one shown: colours and other sequences take up the difference.
_SLACK = 4


def one_line(text: str, limit: int = LINE_LIMIT) -> SafeText:
    """Return the text as one safe line of at most ``limit`` characters; line breaks become spaces."""
    return _rendered(text, limit, between_lines=" ")


def block(text: str, limit: int = BLOCK_LIMIT) -> SafeText:
    """Return the text as safe lines of at most ``limit`` characters in all; its line breaks stay."""
    return _rendered(text, limit, between_lines="\n")


def spelled_out(text: str) -> SafeText:
    r"""Return text that a user is asked to agree to, such as a command: nothing in it is hidden.

    A control or invisible character is shown as an escape (``\\x0d``).
    """
    lines = (line if is_safe(line) else "".join(map(_spelled, line)) for line in text.split("\n"))
    return SafeText("\n".join(lines))


def _spelled(character: str) -> str:
    if is_safe(f"a{character}") and not unicodedata.category(character).startswith("M"):
        return character
    number = ord(character)
    return (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text; a carriage return ends a line too, since it must not overwrite one."""
    for line in text.split("\n"):
        parts = [part for part in line.split("\r") if part]
        yield from parts or [""]


def _rendered(text: str, limit: int, between_lines: str) -> SafeText:
    if len(text) <= limit and text.isascii() and text.isprintable():
        return SafeText(text)
    cut = len(text) > limit * _SLACK
    if cut:
        text = text[: limit * _SLACK]
    if not is_safe(text):
        text = between_lines.join(render_text(part) for part in _lines(text))
    if len(text) > limit:
        return SafeText(text[: limit - 1] + _ELLIPSIS)
    return SafeText(text + _ELLIPSIS if cut else text)
