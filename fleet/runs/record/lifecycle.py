"""``events.jsonl``: one event per line after a first line that names the format."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from agent.wire.message import Message, message
from agent.wire.reasons import reason_of
from fleet.event_json import VERSION, EventFormatError, from_json
from fleet.events import Event, Notice
from fleet.private_files import open_private
from fleet.runs.record.limits import EVENTS_BYTES, LINE_BYTES
from fleet.runs.record.segment import too_large

FORMAT = VERSION
FIRST_LINE = json.dumps({"dtui": "events", "format": FORMAT}, separators=(",", ":")).encode("ascii") + b"\n"
#: Lines that cannot be read are reported one by one up to this number, the rest as a sum.
_REPORTED = 20


def read_events(path: Path, containing: bytes = b"") -> Iterator[tuple[int, Event]]:
    """Yield each event with the position at which its line starts.

    A file without the first line is of format 1, in which log chunks were events like others. A line that
    cannot be read becomes a Notice; an unfinished last line is left out. Lines without the bytes
    ``containing`` are not decoded. What cannot be read of the file becomes a Notice.
    """
    position = 0
    try:
        for position, event in _events(path, containing):
            yield position, event
    except OSError as error:
        text = message(
            "record.events-unreadable",
            "the recorded events cannot be read: {error}",
            error=reason_of(error),
        )
        yield position, Notice(level="warning", text=text)


def _events(path: Path, containing: bytes) -> Iterator[tuple[int, Event]]:
    """Yield as :func:`read_events`; raises OSError."""
    unread = 0
    position = 0
    with open_private(path, "rb") as file:
        number = 0
        while True:
            number += 1
            line, length = _line(file, EVENTS_BYTES - position)
            if position + length > EVENTS_BYTES:
                raise OSError(errno.EFBIG, too_large(EVENTS_BYTES), path.name)
            if not line.endswith(b"\n"):
                break
            try:
                if number == 1 and _is_first(line):
                    wrong = _first_line_fault(line, path.name)
                    if wrong is not None:
                        yield position, Notice(level="warning", text=wrong)
                elif containing in line:
                    yield position, from_json(line)
            except EventFormatError as error:
                unread += 1
                if unread <= _REPORTED:
                    text = message(
                        "record.line",
                        "{file}, line {number}: {error}",
                        file=path.name,
                        number=number,
                        error=error.what,
                    )
                    yield position, Notice(level="warning", text=text)
            position += length
    if unread > _REPORTED:
        text = message(
            "record.more-lines",
            "{file}: {count:n further line} cannot be read",
            file=path.name,
            count=unread - _REPORTED,
        )
        yield position, Notice(level="warning", text=text)


def _line(file: BinaryIO, most: int) -> tuple[bytes, int]:
    """Return the next line and its length; of one that is too long only the line feed is returned.

    Stops soon after ``most`` bytes.
    """
    line = file.readline(LINE_BYTES)
    length = len(line)
    if length < LINE_BYTES or line.endswith(b"\n"):
        return line, length
    while line and not line.endswith(b"\n") and length <= most:
        line = file.readline(LINE_BYTES)
        length += len(line)
    return line[-1:], length


def _is_first(line: bytes) -> bool:
    return line.startswith(b'{"dtui":')


def _first_line_fault(line: bytes, file: str) -> Message | None:
    """Return what is wrong with a first line; None when this version can read what follows."""
    try:
        found = json.loads(line[:1024])
        if found["dtui"] == "events" and isinstance(found["format"], int):
            if found["format"] <= FORMAT:
                return None
            return message(
                "record.newer-events",
                "{file} has format {format}, which a newer dtui wrote",
                file=file,
                format=found["format"],
            )
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return message("record.no-events", "{file} does not start like the events of a run", file=file)
