"""From the bytes of one log line to text that is safe to put on a terminal."""

from __future__ import annotations

import re

#: Escape sequences (CSI, OSC and other strings, two-character ones).
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
#: Other control characters, and those that reorder a line (a log must not be able to disguise itself).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TAB = 8


def decode(raw: bytes) -> str:
    """Return ``raw`` as UTF-8, else as cp949 (a Korean Windows), else as UTF-8 with U+FFFD."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def clean(raw: bytes) -> str:
    """Return the text that a terminal would end up showing for the line ``raw`` (without its line feed).

    A progress bar redraws its line after each carriage return: only its last state is left. Escape
    sequences and control characters are gone, tabs are spaces.
    """
    if b"\r" in raw:
        raw = next((part for part in reversed(raw.split(b"\r")) if part), b"")
    text = decode(raw)
    if text.isprintable() and text.isascii():
        return text
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    if "\t" in text:
        text = text.expandtabs(_TAB)
    return _CONTROL.sub("", text)
