"""From a file's bytes to text and from text to marked YAML nodes, with faults for a person."""

from __future__ import annotations

import codecs
import re
from dataclasses import field
from pathlib import Path

import yaml

from fleet.frozen import frozen
from fleet.inventory.faults import Fault

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_INDENT_WITH_TAB = re.compile(r"[ ]*\t")

#: What PyYAML says -> what a person can do about it.
_SYNTAX_REMEDIES = (
    ("mapping values are not allowed", "line up the keys of a block, and quote a value that contains ': '"),
    ("unknown escape character", "write a Windows path without quotes or in single quotes: 'C:\\train'"),
    ("unexpected end of stream", "close the quote"),
    ("<stream end>", "close the bracket"),
    ("could not find expected ':'", "a key needs a colon and a space after it, like `port: 22`"),
    ("expected <block end>", "line up the keys of a block with each other"),
    ("cannot start any token", "put quotes around the value"),
    ("expected ',' or", "close the bracket"),
    ("found undefined alias", "put quotes around a value that begins with *"),
    ("but found another document", "keep one document in the file: remove the line ---"),
)


@frozen
class Place:
    """Where in a text a reader stands: the file's name, the path of keys, and the list to report to."""

    file: str
    key: str = ""
    faults: list[Fault] = field(default_factory=list)

    def under(self, part: str | int) -> Place:
        """Return the place one key (text) or one list entry (number) further down."""
        if isinstance(part, int):
            return Place(self.file, f"{self.key}[{part}]", self.faults)
        return Place(self.file, f"{self.key}.{part}" if self.key else part, self.faults)

    def fault(self, at: yaml.Node | yaml.Mark | None, what: str, remedy: str = "") -> None:
        """Report a fault at a YAML node or mark (None: the file as a whole)."""
        mark = at.start_mark if isinstance(at, yaml.Node) else at
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        self.faults.append(Fault(what, remedy, self.file, line, column, self.key))


def in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Return the faults as a reader of the file meets them, each once."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0)))


def read_text(path: Path, place: Place) -> str | None:
    """Return the file's text without a byte order mark, None when it can't be read at all.

    UTF-8, and UTF-16 with its mark (PowerShell's ``Out-File``). A file in a Korean code page is decoded,
    so that its other faults are found too, but is a fault.
    """
    try:
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        place.fault(None, f"can't be read: {error.strerror or error}", "check the path")
        return None
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16")
        return data.decode()
    except UnicodeDecodeError as error:
        if error.encoding.startswith("utf-16"):
            place.fault(None, "begins as UTF-16 and is cut", "save it again as UTF-8")
            return None
        return _in_another_encoding(data, error.start, place)


def _in_another_encoding(data: bytes, offset: int, place: Place) -> str | None:
    """Report the first byte that is not UTF-8; return the text when it is in the Korean code page."""
    try:
        text = data.decode("cp949")
        what = "the file is saved in the Korean code page (cp949, ANSI), not in UTF-8"
    except UnicodeDecodeError:
        text = None
        what = f"byte 0x{data[offset]:02x} is not UTF-8"
    before = data[:offset].decode().split("\n")
    remedy = "save it as UTF-8 (Notepad: Save as, Encoding UTF-8)"
    place.faults.append(Fault(what, remedy, place.file, len(before), len(before[-1]) + 1))
    return text


def compose(text: str, place: Place) -> yaml.Node | None:
    """Return the root node of a YAML text, None when there is none or the syntax is wrong."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        tabs = [
            (number, match.end())
            for number, line in enumerate(text.split("\n"), 1)
            if (match := _INDENT_WITH_TAB.match(line)) and line.strip()
        ]
        if tabs and "'\\t'" in (error.problem or ""):
            place.faults.extend(
                Fault("a tab in the indentation", "indent with spaces", place.file, line, column)
                for line, column in tabs
            )
            return None
        problem = error.problem or "not YAML"
        remedy = next((advice for words, advice in _SYNTAX_REMEDIES if words in problem), "")
        place.fault(error.problem_mark or error.context_mark, f"YAML syntax: {problem}", remedy)
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        place.faults.append(
            Fault(
                f"the control character {text[error.position]!r} can't stand in YAML",
                "delete it",
                place.file,
                len(before),
                len(before[-1]) + 1,
            )
        )
    except RecursionError:
        place.fault(None, "brackets are nested too deep")
    return None
