"""Reads a file's bytes as text and the text as marked YAML nodes, with faults for the user."""

from __future__ import annotations

import codecs
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import system_reason
from fleet import bounded_yaml
from fleet.inventory.faults import Fault
from fleet.inventory.yaml_problems import yaml_problem
from transports.regular_files import read_start

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: The reader stops after this many faults: the first ones explain the rest, and each costs time.
MAX_FAULTS = 100
#: Characters of a quoted text.
MAX_SHOWN = 80
_INDENT_WITH_TAB = re.compile(r"[ ]*\t")

#: Bytes of an inventory's file: 20,000 nodes that are written one by one have 2 MB.
MAX_SIZE = bounded_yaml.INVENTORY.size


class Place:
    """A position in a text: the file's name, the path of keys, and the list of faults to add to."""

    __slots__ = ("_above", "_part", "faults", "file")

    def __init__(self, file: str, faults: list[Fault] | None = None) -> None:
        self.file = file
        self.faults: list[Fault] = [] if faults is None else faults
        self._above: Place | None = None
        self._part: str | int = ""

    def under(self, part: str | int) -> Place:
        """Return the place one key (text) or one list entry (number) further down."""
        place = Place(self.file, self.faults)
        place._above = self
        place._part = part
        return place

    @property
    def key(self) -> str:
        """The path of keys, such as ``groups.lab.nodes[2].port``; made when a fault needs it."""
        if self._above is None:
            return ""
        above = self._above.key
        if isinstance(self._part, int):
            return f"{above}[{self._part}]"
        part = shown(self._part)
        return f"{above}.{part}" if above else part

    def fault(self, at: yaml.Node | yaml.Mark | None, what: Message, remedy: Message = EMPTY) -> None:
        """Report a fault at a YAML node or mark (None: the file as a whole)."""
        mark = at.start_mark if isinstance(at, yaml.Node) else at
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        self.faults.append(Fault(what, remedy, self.file, line, column, self.key))
        if len(self.faults) >= MAX_FAULTS:
            raise TooManyFaults


class TooManyFaults(Exception):
    """MAX_FAULTS were reported: the rest of the file is not read."""


def shown(text: str) -> str:
    """Return a text of the file as a message quotes it: not all of a long one."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Return the faults as a reader of the file meets them, each once."""
    found = sorted(dict.fromkeys(faults), key=lambda fault: (fault.line or 0, fault.column or 0))
    if len(faults) >= MAX_FAULTS:
        what = message(
            "inventory.too-many-faults", "dtui stopped reading after {count} faults", count=MAX_FAULTS
        )
        found.append(Fault(what, file=faults[0].file))
    return tuple(found)


def read_text(path: Path, place: Place) -> str | None:
    """Return the file's text without a byte order mark, None when it is unreadable or too large.

    UTF-8, and UTF-16 with its mark (PowerShell's ``Out-File``). A file in a Korean code page is decoded,
    so that its other faults are found too, but is a fault.
    """
    try:
        data = read_start(path, MAX_SIZE + 1)
    except OSError as error:
        place.fault(
            None,
            message("inventory.unreadable", "can't be read: {error}", error=system_reason(error)),
            message("inventory.unreadable.remedy", "check the path and the file's permissions"),
        )
        return None
    if len(data) > MAX_SIZE:
        place.fault(
            None,
            bounded_yaml.too_large(bounded_yaml.INVENTORY).what,
            message(
                "inventory.too-large.remedy",
                "write similar nodes as one entry, with a node set such as gpu[1-800]",
            ),
        )
        return None
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16")
        if b"\0" in data[:2]:
            # UTF-16 without a mark: the text starts with an ASCII character.
            return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le")
        return data.decode()
    except UnicodeDecodeError as error:
        if error.encoding.startswith("utf-16"):
            place.fault(
                None,
                message("inventory.utf-16-truncated", "the file starts as UTF-16 and is truncated"),
                message("inventory.utf-16-truncated.remedy", "save it as UTF-8"),
            )
            return None
        return _in_another_encoding(data, error.start, place)


def _in_another_encoding(data: bytes, offset: int, place: Place) -> str | None:
    """Report the first byte that is not UTF-8; return the text when it is in the Korean code page."""
    text: str | None
    try:
        text = data.decode("cp949")
        what = message(
            "inventory.korean-code-page",
            "the file is saved in the Korean code page (cp949, ANSI), not in UTF-8",
        )
    except UnicodeDecodeError:
        text = None
        what = message("inventory.not-utf-8", "byte 0x{byte:02x} is not UTF-8", byte=data[offset])
    remedy = message("inventory.not-utf-8.remedy", "save it as UTF-8 (Notepad: Save as, Encoding UTF-8)")
    place.faults.append(_fault_after(data[:offset].decode(), what, remedy, place))
    return text


def compose(text: str, place: Place) -> yaml.Node | None:
    """Return the root node of a YAML text, None when there is none or it is not acceptable."""
    try:
        return bounded_yaml.compose(text, bounded_yaml.INVENTORY)
    except yaml.MarkedYAMLError as error:
        tabs = [
            (number, match.end())
            for number, line in enumerate(text.split("\n"), 1)
            if (match := _INDENT_WITH_TAB.match(line)) and line.strip()
        ]
        if tabs and "'\\t'" in (error.problem or ""):
            place.faults.extend(
                Fault(
                    message("yaml.tab", "a tab in the indentation"),
                    message("yaml.tab.remedy", "indent with spaces"),
                    place.file,
                    line,
                    column,
                )
                for line, column in tabs[:MAX_FAULTS]
            )
            return None
        place.fault(error.problem_mark or error.context_mark, *yaml_problem(error))
    except bounded_yaml.UnprintableError as error:
        place.faults.append(_fault_after(text[: error.position], *yaml_problem(error), place))
    return None


def _fault_after(before: str, what: Message, remedy: Message, place: Place) -> Fault:
    """Return the fault of the character that follows ``before``, the beginning of the text."""
    lines = before.split("\n")
    return Fault(what, remedy, place.file, len(lines), len(lines[-1]) + 1)


@contextmanager
def allocating() -> Iterator[None]:
    """Pause the cyclic garbage collector while a large tree of values is built, none of which is garbage.

    It examines all values again as their number grows, and took most of the time of reading 20,000 nodes.
    """
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
