"""Messages as sentences on their own: a capital letter at the beginning, a full stop at the end.

A message begins in lower case and has no full stop, since it may be a part of another one.
"""

from __future__ import annotations

import re

from agent.wire.message import Message

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*(?=[ ,:;]|$)")
#: Names of commands, which are written in lower case everywhere.
_NAMES = ("dtui", "uv")


def begins_with_name(text: str) -> bool:
    """Return whether the text starts with an argument, a command or a path, which keep their letters."""
    word = _WORD.match(text)
    if word is None or word.group() in _NAMES:
        return True
    if not isinstance(text, Message):
        return False
    foreign = (str(arg) for arg in text.args.values() if not isinstance(arg, Message | list | tuple))
    return any(arg and text.startswith(arg) for arg in foreign)


def capitalize(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def end_with_stop(text: str) -> str:
    """Return the text with a full stop, unless something else ends it."""
    return text if not text or text[-1] in ".?!:" else f"{text}."
