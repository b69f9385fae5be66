"""The output layer of the command line: every command writes through these functions, on stdout and stderr.

A test (tests/house/test_output.py) fails when another module prints, writes to a stream or makes a console.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from fleet.terminal import LONGEST_LINE, Rendered, SafeText, block, one_line
from tui.cli.streams import SafeStream

if TYPE_CHECKING:
    from rich.console import Console

_NOT_ASCII = re.compile("[\x7f-\U0010ffff]")


def out(text: str = "", *, stream: TextIO | None = None) -> None:
    """Write lines of data to stdout; each is rendered separately."""
    _write(stream or sys.stdout, "\n".join(one_line(line, LONGEST_LINE) for line in text.split("\n")) + "\n")


def err(text: str = "", *, stream: TextIO | None = None) -> None:
    """Write a message to stderr; a long one ends in an ellipsis."""
    _write(stream or sys.stderr, block(text) + "\n")


def out_own(text: str) -> None:
    """Write text without foreign parts, such as a completion script, to stdout unchanged."""
    _write(unguarded(sys.stdout), text)


def indented(text: str) -> SafeText:
    """Return a message that may quote others: lines after the first are indented.

    Without the indent, a text with line breaks could imitate further messages of dtui.
    """
    return SafeText(block(text).replace("\n", "\n    "))


def write_json(value: Any) -> None:
    """Write a value to stdout as one line of ASCII JSON."""
    out_json(json.dumps(value))


def out_json(text: str) -> None:
    r"""Write JSON text to stdout, everything but ASCII as ``\u`` escapes, which decode to the exact value.

    JSON has other characters in its strings only, so that they can be replaced wherever they are.
    """
    _write(unguarded(sys.stdout), _NOT_ASCII.sub(_escaped, text) + "\n")


def _escaped(found: re.Match[str]) -> str:
    number = ord(found.group())
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def out_rendered(lines: Iterable[Rendered], *, stream: TextIO | None = None) -> None:
    """Write lines of programs to stdout, in their colours where the terminal shows colours."""
    stream = stream or sys.stdout
    if shows_colors(stream):
        text = "".join(f"{_with_colors(line)}\n" for line in lines)
    else:
        text = "".join(f"{line.text}\n" for line in lines)
    _write(unguarded(stream), text)


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream below a SafeStream, for text that is safe by construction."""
    return stream.unguarded if isinstance(stream, SafeStream) else stream


def shows_colors(stream: TextIO) -> bool:
    """Return whether colours may be written to the stream: a terminal, and not switched off."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if sys.platform == "win32":
        from rich.console import detect_legacy_windows

        return not detect_legacy_windows()
    return True


def _with_colors(line: Rendered) -> str:
    parts, at = [], 0
    for start, end, code in line.colors:
        parts += [line.text[at:start], f"\x1b[{code}m{line.text[start:end]}\x1b[0m"]
        at = end
    return "".join((*parts, line.text[at:]))


def out_bytes(data: bytes) -> None:
    """Write bytes to stdout unchanged; the caller has checked that it is not a terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def data_stream() -> TextIO:
    """Return stdout for a writer that needs a stream (CSV); all that it writes is rendered."""
    return sys.stdout if isinstance(sys.stdout, SafeStream) else SafeStream(sys.stdout)  # type: ignore[return-value]


def is_terminal(name: str) -> bool:
    """Return whether ``stdin``, ``stdout`` or ``stderr`` is a terminal."""
    stream: TextIO = getattr(sys, name)
    return stream.isatty()


def encoding() -> str:
    """Return the encoding of stdout, such as ``utf-8`` or ``cp949``."""
    return sys.stdout.encoding or ""


def is_utf8() -> bool:
    """Return whether stdout can write every character."""
    return encoding().lower().replace("-", "") == "utf8"


def ask(question: str) -> str:
    """Ask on stderr and return the line typed with its line feed; it is empty at the end of the input."""
    _write(sys.stderr, block(question))
    return sys.stdin.readline()


def ask_yes(question: str) -> bool:
    """Ask on stderr and return whether the answer is a spelled-out yes."""
    return ask(f"{question} [yes/NO] ").strip().lower() == "yes"


def ask_secret(question: str) -> str:
    """Ask for something that must not be shown; the terminal is asked even where stderr is a file."""
    return getpass.getpass(one_line(question))


def drawing_console(*, stderr: bool) -> Console:
    """Return a console for output that is redrawn in place.

    What it draws is made of :func:`one_line` or :func:`out_rendered`'s texts; markup is off.
    """
    from rich.console import Console

    return Console(
        file=unguarded(sys.stderr if stderr else sys.stdout),
        highlight=False,
        markup=False,
        emoji=False,
    )


def silence() -> None:
    """Close stderr: the reader of stdout has ended, and no more output is needed."""
    sys.stderr.close()


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
