"""One command line that cmd.exe, PowerShell 5.1 and 7, POSIX shells, fish and csh read alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from agent.quoting import powershell
from agent.wire.message import message

#: ``any`` is the line that all shells read alike. ``powershell`` is for PowerShell behind an SSH server that
#: loses double quotes, see `SshTransport.loses_quotes`.
Form = Literal["any", "powershell"]

#: A program that needs no quotes: a name or a path without a backslash, a drive or another sign.
_PLAIN_PROGRAM = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*")
#: What stands before the quote: a drive, the start of a share or of a relative path, or the first letter. A
#: line that begins with a quote is an expression to PowerShell, and ``."file"`` is a script to be read.
_HEAD = re.compile(r"[A-Za-z]:|\.{0,2}/|\\\\\w|\.{0,2}\\\w|\.?\w")
_PLAIN_ARGUMENT = re.compile(r"[A-Za-z0-9_./+-]+")
#: PowerShell splits a bare ``-Xa.b`` in two.
_SPLIT_BY_POWERSHELL = re.compile(r"-.*[.:]")
#: Each of them means something within double quotes to one of the shells; PowerShell takes typographic
#: double quotes for plain ones. The rest are control characters without tab, line ends and halves of pairs.
_SPECIAL = re.compile('["%$`!\u201c\u201d\u201e\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


class UnsafeWord(ValueError):
    """A word of a command that shells interpret differently."""

    def __init__(self, word: str) -> None:
        self.what = message(
            "command.unsafe-word", "{word!r} contains a character that a shell interprets", word=word
        )
        super().__init__(self.what)


def command_line(argv: Sequence[str], form: Form = "any") -> str:
    """Join ``argv``; raises UnsafeWord for a word that some shell would change, e.g. one with ``%`` or ``$``.

    Other data is sent through stdin.
    """
    if form == "powershell":
        return _for_powershell(argv)
    program, *arguments = argv
    return " ".join([_program(program), *map(_argument, arguments)])


def needs_quotes(program: str) -> bool:
    """Whether a program's path has to be quoted."""
    return not _PLAIN_PROGRAM.fullmatch(program)


def _program(word: str) -> str:
    _check(word)
    if not needs_quotes(word):
        return word
    head = _HEAD.match(word)
    if head is None:
        raise UnsafeWord(word)
    rest = word[head.end() :]
    return f'{head.group()}"{_quotable(word, rest)}"'


def _argument(word: str) -> str:
    _check(word)
    # PowerShell 5.1 drops an empty word, and everything after --% is not parsed.
    if not word or word == "--%":
        raise UnsafeWord(word)
    if _PLAIN_ARGUMENT.fullmatch(word) and not _SPLIT_BY_POWERSHELL.match(word):
        return word
    return f'"{_quotable(word, word)}"'


def _quotable(word: str, part: str) -> str:
    # A backslash before another one, or before the closing quote, is an escape to POSIX shells or to Windows.
    if "\\\\" in part or part.endswith("\\"):
        raise UnsafeWord(word)
    return part


def _check(word: str) -> None:
    if _SPECIAL.search(word):
        raise UnsafeWord(word)


def _for_powershell(argv: Sequence[str]) -> str:
    r"""Return ``& 'C:\Program Files\Python\python.exe' -I``, for arguments that need no quotes."""
    program, *arguments = argv
    _check(program)
    for word in arguments:
        if _argument(word) != word:
            raise UnsafeWord(word)
    return " ".join([f"& {powershell(program)}", *arguments])
