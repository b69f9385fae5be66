"""The login shell of an SSH node, started as an SSH server starts it."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A run of backslashes with the double quote after it, if there is one.
_PIECE = re.compile(r'(\\*)(")|([^"])')


@dataclass(frozen=True, slots=True)
class LoginShell:
    """``program`` is the shell with its first words.

    ``loses_quotes`` is how OpenSSH for Windows before 7.9 starts each shell: it puts the line between double
    quotes and changes nothing in it, so its own double quotes end and start words.
    """

    program: tuple[str, ...]
    loses_quotes: bool = False

    def command(self, line: str) -> tuple[str, ...]:
        """Return the words that run ``line``."""
        words = windows_words(f'-c "{line}"') if self.loses_quotes else ("-c", line)
        return (*self.program, *words)


def windows_words(line: str) -> tuple[str, ...]:
    """Return the words that a Windows program reads from its command line."""
    words: list[str] = []
    word: str | None = None
    quoted = False
    for slashes, quote, other in _PIECE.findall(line):
        if quote:
            word = (word or "") + "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                word += '"'
            else:
                quoted = not quoted
        elif other in " \t" and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + other
    return (*words, word) if word is not None else tuple(words)
