"""The syntax of values in OpenSSH's client configuration."""

from __future__ import annotations

import re


def without_comment(value: str) -> str:
    """Return a value without a comment after it, which OpenSSH allows since 8.7."""
    quoted = False
    for at, letter in enumerate(value):
        if letter == '"':
            quoted = not quoted
        elif letter == "#" and not quoted and (at == 0 or value[at - 1].isspace()):
            return value[:at].rstrip()
    return value


def words_of(value: str) -> list[str]:
    """Return the words of a value; a quoted one may contain spaces."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', value)]
