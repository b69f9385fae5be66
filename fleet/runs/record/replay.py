"""Reads a run's record as one stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.wire.message import message
from fleet.event_json import EventFormatError, from_json
from fleet.events import Event, LogChunk, Notice
from fleet.runs.record.folder import FOLDER, OutputFolder, Unreadable
from fleet.runs.record.lifecycle import read_events
from fleet.runs.record.segment import Entry


def replay(path: Path, *, newest: int | None = None, logs: bool = True) -> Iterator[Event]:
    """Yield the events of the record whose lifecycle events are in the file ``path``, in their order.

    What cannot be read becomes a Notice in its place, and so does output that is not in the record: the
    Notice names rank and bytes, and an empty LogChunk follows it where the gap ends. ``newest`` reads only
    this many segments of output, and reports no gap before them; without ``logs`` their log chunks are left
    out.
    """
    output = OutputFolder(path.parent / FOLDER).read(newest)
    events = _OutputEvents(path.parent.name, whole=newest is None, logs=logs)
    pending = next(output, None)
    for position, event in read_events(path):
        while pending is not None and (isinstance(pending, Unreadable) or pending[0].position <= position):
            yield from events.of(pending)
            pending = next(output, None)
        if isinstance(event, LogChunk):
            # An earlier version started the record, and wrote log chunks here.
            events.note_end(event)
            if not logs:
                continue
        yield event
    while pending is not None:
        yield from events.of(pending)
        pending = next(output, None)


class _OutputEvents:
    """Turns entries of the output into events, and gaps between them into Notices."""

    def __init__(self, run: str, *, whole: bool, logs: bool) -> None:
        self._run = run
        self._whole = whole
        self._logs = logs
        #: Rank -> where its output ended so far.
        self._ends: dict[int, int] = {}

    def note_end(self, chunk: LogChunk) -> None:
        """Record the position of a chunk from another source."""
        self._ends[chunk.rank] = chunk.offset + len(chunk.data)

    def of(self, item: tuple[Entry, bytes] | Unreadable) -> Iterator[Event]:
        """Yield the events of one item."""
        if isinstance(item, Unreadable):
            yield Notice(
                level="warning",
                text=message(
                    "record.damaged",
                    "recorded output {file} is damaged, and the rest of it is skipped: {reason}",
                    file=item.name,
                    reason=item.reason,
                ),
            )
            return
        entry, data = item
        if entry.kind == "event":
            yield self._event(data)
        elif self._logs:
            yield from self._chunk(entry, data)

    def _event(self, data: bytes) -> Event:
        try:
            return from_json(data)
        except EventFormatError as error:
            text = message("record.bad-entry", "an entry of the recorded output: {error}", error=error.what)
            return Notice(level="warning", text=text)

    def _chunk(self, entry: Entry, data: bytes) -> Iterator[Event]:
        end = self._ends.get(entry.rank, 0 if self._whole else entry.offset)
        self._ends[entry.rank] = entry.offset + len(data)
        if entry.offset > end:
            yield gap_notice(entry.node, entry.at, entry.rank, end, entry.offset)
        elif not data:
            return
        yield LogChunk(
            node=entry.node, at=entry.at, run=self._run, rank=entry.rank, offset=entry.offset, data=data
        )


def gap_notice(node: str, at: float, rank: int, start: int, end: int) -> Notice:
    """Return the warning in place of output that is not in the record."""
    return Notice(
        node=node,
        at=at,
        level="warning",
        text=message(
            "record.gap",
            "rank {rank}: {count:n byte} not recorded (bytes {start} to {end} of its output)",
            rank=rank,
            count=end - start,
            start=start,
            end=end,
        ),
        remedy=message("record.gap.remedy", "read the log of rank {rank} on {node}", rank=rank, node=node),
    )
