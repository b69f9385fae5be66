"""The syntax of values in OpenSSH's client configuration."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

#: Files of one pattern of an Include.
_MAX_INCLUDED = 256


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


def included_files(value: str, folder: Path) -> list[Path]:
    """Return the files that an ``Include`` names, by patterns relative to ``folder``.

    What is no pattern or no path has no files.
    """
    found: list[Path] = []
    for word in words_of(without_comment(value)):
        try:
            place = Path(word).expanduser()
            root, pattern = (
                (Path(place.anchor), str(place.relative_to(place.anchor)))
                if place.is_absolute()
                else (folder, word)
            )
            found += sorted(islice(root.glob(pattern), _MAX_INCLUDED))
        except (OSError, ValueError, RuntimeError, NotImplementedError, IndexError):
            continue
    return found
