"""One line of output as the terminal that it was written for would show it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from fleet.terminal.characters import cells, is_safe, without_controls
from fleet.terminal.colors import Graphics
from fleet.terminal.decode import decode

TAB = 8
#: Columns of an emulated line; what is written further right is dropped.
_WIDEST = 1 << 16

#: One control sequence. A string (OSC, DCS, SOS, PM, APC) that is not terminated lasts to the end of the
#: line, as does a CSI that is cut off there. CAN and SUB cancel a sequence, ESC starts another.
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~\x18\x1a]|\Z)"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:[\x07\x18\x1a\x9c]|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
_SEQUENCES = re.compile(_SEQUENCE)
#: What has to be interpreted in order: colours, erasing, and moves of the cursor.
_TOKEN = re.compile(rf"\r|\x08|\t|{_SEQUENCE}")
_COLOR = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]*)m")
_ERASE = re.compile(r"(?:\x1b\[|\x9b)([012]?)K")
_MOVES = re.compile(r"[\r\x08]|(?:\x1b\[|\x9b)[012]?K")


class Rendered(NamedTuple):
    """A line's text, and its colours as ``(start, end, code)`` by position in the text, in order.

    ``code`` is a canonical SGR parameter list such as ``1;31``; text between the entries has no colour.
    """

    text: str
    colors: tuple[tuple[int, int, str], ...] = ()


#: Makes most of the Rendered values there are; the class's own constructor takes twice as long.
_PLAIN = tuple.__new__


def render_line(raw: str) -> Rendered:
    """Return the line (without its line feed) as a terminal would show it, colours included.

    Colours end with the line, so that one line can't recolour others.
    """
    raw = raw.rstrip("\r")
    if is_safe(raw):
        return Rendered(raw)
    if _MOVES.search(raw):
        return _Screen(raw).rendered()
    if "\x1b" not in raw and "\x9b" not in raw:
        return Rendered(render_text(raw))
    return _colored(raw)


def render_text(raw: str) -> str:
    """Return a line in which dtui may quote others: nothing moves the cursor back or erases.

    Otherwise the text that is quoted could replace the words around it.
    """
    if is_safe(raw):
        return raw
    if "\x1b" not in raw and "\x9b" not in raw:
        # Strings that C1 characters introduce are sequences, too.
        return _expanded(_without_controls_but_tabs(_SEQUENCES.sub("", raw)))
    return _colored(raw).text


def render_bytes(raw: bytes) -> Rendered:
    """Return a line of a program's output, without its line feed, as a terminal would show it."""
    if raw.isascii():
        text = raw.decode("ascii")
        if text.isprintable():
            return _PLAIN(Rendered, (text, ()))
        return render_line(text)
    return render_line(decode(raw))


def _without_controls_but_tabs(text: str) -> str:
    """Return the text without controls; tabs are left for :func:`_expanded`."""
    if "\t" not in text:
        return without_controls(text)
    return "\t".join(map(without_controls, text.split("\t")))


def _expanded(text: str) -> str:
    return text.expandtabs(TAB) if "\t" in text else text


def _colored(raw: str) -> Rendered:
    """Render a line in which the cursor only moves forward."""
    graphics = Graphics()
    parts: list[tuple[str, str]] = []
    at = 0
    column = 0
    for found in _TOKEN.finditer(raw):
        if found.start() > at:
            text = without_controls(raw[at : found.start()])
            parts.append((text, graphics.code))
            column += len(text)
        at = found.end()
        if found.group() == "\t":
            spaces = TAB - column % TAB
            parts.append((" " * spaces, graphics.code))
            column += spaces
        elif color := _COLOR.fullmatch(found.group()):
            graphics.apply(color.group(1))
    parts.append((without_controls(raw[at:]), graphics.code))
    return _joined(parts)


def _joined(parts: Iterable[tuple[str, str]]) -> Rendered:
    texts: list[str] = []
    colors: list[tuple[int, int, str]] = []
    length = 0
    for text, code in parts:
        if not text:
            continue
        texts.append(text)
        if code and colors and colors[-1][1:] == (length, code):
            colors[-1] = (colors[-1][0], length + len(text), code)
        elif code:
            colors.append((length, length + len(text), code))
        length += len(text)
    return Rendered("".join(texts), tuple(colors))


class _Screen:
    """One row of a terminal: cells that carriage return and backspace let later text overwrite.

    A cell holds a character with its combining marks; the second cell of a wide character holds "".
    """

    def __init__(self, raw: str) -> None:
        self._cells: list[str] = []
        self._codes: list[str] = []
        self._column = 0
        graphics = Graphics()
        at = 0
        for found in _TOKEN.finditer(raw):
            if found.start() > at:
                self._write(without_controls(raw[at : found.start()]), graphics.code)
            at = found.end()
            control = found.group()
            if control == "\r":
                self._column = 0
            elif control == "\b":
                self._column = max(0, self._column - 1)
            elif control == "\t":
                self._column = min(_WIDEST, (self._column // TAB + 1) * TAB)
            elif color := _COLOR.fullmatch(control):
                graphics.apply(color.group(1))
            elif erase := _ERASE.fullmatch(control):
                self._erase(erase.group(1))
        self._write(without_controls(raw[at:]), graphics.code)

    def rendered(self) -> Rendered:
        return _joined(zip(self._cells, self._codes, strict=True))

    def _write(self, text: str, code: str) -> None:
        if not text or self._column >= _WIDEST:
            return
        row = list(text) if text.isascii() else _row(text)
        del row[_WIDEST - self._column :]
        start, stop = self._column, self._column + len(row)
        self._pad(start)
        # A terminal blanks the other half of a wide character of which one half is overwritten.
        if 0 < start < len(self._cells) and self._cells[start] == "":
            self._cells[start - 1] = " "
        if stop < len(self._cells) and self._cells[stop] == "":
            self._cells[stop] = " "
        self._cells[start:stop] = row
        self._codes[start:stop] = [code] * len(row)
        self._column = stop

    def _erase(self, kind: str) -> None:
        start = self._column
        if kind in ("", "0"):
            if start < len(self._cells) and self._cells[start] == "" and start:
                self._cells[start - 1] = " "
            del self._cells[start:]
            del self._codes[start:]
            return
        if kind == "2":
            self._cells.clear()
            self._codes.clear()
            return
        stop = min(start + 1, len(self._cells))
        if stop < len(self._cells) and self._cells[stop] == "":
            stop += 1
        self._cells[:stop] = [" "] * stop
        self._codes[:stop] = [""] * stop

    def _pad(self, column: int) -> None:
        missing = column - len(self._cells)
        if missing > 0:
            self._cells += [" "] * missing
            self._codes += [""] * missing


def _row(text: str) -> list[str]:
    """Return the text as cells."""
    row: list[str] = []
    for character in text:
        width = cells(character)
        if width == 0 and row:
            at = -2 if row[-1] == "" and len(row) > 1 else -1
            row[at] += character
        else:
            row.append(character)
            if width == 2:
                row.append("")
    return row
