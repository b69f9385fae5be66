"""Values that enter a command: one function for each target checks the value and writes it.

Shared by both ends. Every value from a node or a file passes one of these functions before it is part of a
command in another language. Arguments of programs that are started without a shell need no quoting.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import Sequence

from agent.wire.message import Message, message
from agent.wire.text import fits_process

#: PowerShell ends a text in single quotes at each of these (CharTraits.cs, IsSingleQuote).
_SINGLE_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WINDOWS_FOLDER = re.compile(r'(?:[A-Za-z]:|\\\\[^\\/:*?"<>|]+\\[^\\/:*?"<>|]+)(?:\\[^\\/:*?"<>|]+)+\\?')

#: A word that PowerShell takes as it is, and cmd.exe, too. PowerShell makes two of -a.b.
_BARE = re.compile(r"(?!-.*\.)[A-Za-z0-9_./\\:=+-]+")
#: A word that both read alike between double quotes. A backslash at the end would escape the last one.
_IN_DOUBLE_QUOTES = re.compile(r"[\w .,/\\:=+;&()@#{}\[\]'~*-]*(?<!\\)")

#: A part that leads upwards. Windows drops dots and blanks at the end of a part.
_DOTS = re.compile(r"\\[. ]+(?:\\|\Z)")


class Unsafe(ValueError):
    """A value can't be part of a command, for the reason ``message``, which shows the value."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def printable(value: object) -> str:
    """Return a value in ASCII, cut to 200 characters, for the message of :class:`Unsafe`."""
    return ascii(value)[:200]


def powershell(text: str) -> str:
    """Return ``text`` as a literal of PowerShell, quotes included.

    Raises Unsafe for a zero character and for half of a surrogate pair, which a command can't carry.
    """
    if not fits_process(text):
        raise Unsafe(
            message(
                "command.character",
                "{value} has a character that a command can't contain",
                value=printable(text),
            )
        )
    return powershell_shown(text)


def powershell_shown(text: str) -> str:
    """Return a literal as :func:`powershell`, for reading: no character is refused."""
    return "'" + _SINGLE_QUOTES.sub(r"\1\1", text) + "'"


def command_line(argv: Sequence[str], windows: bool) -> str:
    """Return a command as it is typed: in PowerShell on Windows, else in a POSIX shell."""
    if not windows:
        return " ".join(shlex.quote(word) for word in argv)
    words = [_typed(word) for word in argv]
    # PowerShell takes a quoted text at the beginning for an expression.
    return ("& " if words and words[0] != argv[0] else "") + " ".join(words)


def _typed(word: str) -> str:
    if _BARE.fullmatch(word):
        return word
    return '"%s"' % word if _IN_DOUBLE_QUOTES.fullmatch(word) else powershell_shown(word)


def address(value: object) -> str:
    """Return an IP address in its usual form; raises Unsafe for anything else, names included.

    A zone (``%eth0``) is refused: a firewall rule has none.
    """
    try:
        # An int or bytes would be read as an address, too.
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ipaddress.ip_address(value))
    except ValueError:
        wrong = message("command.not-an-address", "{value} is not an IP address", value=printable(value))
        raise Unsafe(wrong) from None


def windows_folder(value: object) -> str:
    """Return the full path of a folder on Windows, not a drive's root; raises Unsafe."""
    if (
        not isinstance(value, str)
        or _CONTROL.search(value)
        or not _WINDOWS_FOLDER.fullmatch(value)
        or _DOTS.search(value)
    ):
        raise Unsafe(
            message(
                "command.not-a-folder",
                "{value} is not the full path of a folder on Windows",
                value=printable(value),
            )
        )
    return value


def index(value: object) -> str:
    """Return a GPU's number, given as text; raises Unsafe."""
    if not isinstance(value, str) or not re.fullmatch("[0-9]{1,3}", value):
        raise Unsafe(
            message("command.not-a-gpu", "{value} is not the number of a GPU", value=printable(value))
        )
    return value
