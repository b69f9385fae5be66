"""Appends a run's events to its record: one console at a time, whole entries only."""

from __future__ import annotations

import os
from typing import BinaryIO, Self

from agent.wire.message import message
from agent.wire.reasons import system_reason
from fleet.event_json import to_json
from fleet.events import Event, LogChunk, MetricsSeen, Notice, RankPhase
from fleet.private_files import open_private
from fleet.runs.record.lifecycle import FIRST_LINE
from fleet.runs.record.limits import ENTRY_BYTES, RecordLimits
from fleet.runs.record.lock import lock_record
from fleet.runs.record.output import OutputWriter
from fleet.runs.record.segment import Entry
from fleet.runs.record.thinning import StepThinning
from fleet.runs.store import RunStore


class NoRecorder:
    """Stands in for a Recorder where another process records."""

    recording = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, event: Event) -> None:
        """Write nothing."""


class Recorder:
    """Holds the run's lock while it is open. Use as context manager.

    Lifecycle events are on the disk when ``write`` returns; output follows within ``limits.flush`` seconds,
    because the nodes still have it.
    """

    def __init__(self, store: RunStore, limits: RecordLimits | None = None) -> None:
        self._store = store
        self._limits = limits or RecordLimits()
        self._lock: BinaryIO | None = None
        self._file: BinaryIO | None = None
        self._output: OutputWriter | None = None
        # Read before anything is locked or opened: it may fail.
        self._thinning = StepThinning(self._limits.steps // store.plan().world_size)
        self._full = False
        self._size = 0

    def __enter__(self) -> Self:
        lock = lock_record(self._store.folder / "recorder.lock")
        if lock is None:
            return self
        self._lock = lock
        self._file = open_private(self._store.events_file, "a+b", buffering=0)
        self._drop_torn_line()
        if self._size == 0:
            self._append(FIRST_LINE)
        self._output = OutputWriter(self._store.output, self._store.run, self._limits)
        return self

    def __exit__(self, *_: object) -> None:
        if self._output is not None:
            try:
                self._output.close()
            except OSError:
                self._output.abandon()  # the nodes have what is missing now
        self._close()

    def _close(self) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = self._output = None

    @property
    def recording(self) -> bool:
        """False when another console records this run: then nothing is written here."""
        return self._file is not None

    def write(self, event: Event) -> Notice | None:
        """Append the event; returns a Notice for a limit that is reached.

        When the disk refuses it, nothing is written any more. What is missing then can be had again from
        the nodes: their logs are the truth.
        """
        if self._file is None or self._output is None:
            return None
        try:
            if isinstance(event, LogChunk):
                for entry, data in self._entries(event):
                    self._output.add(entry, data)
            elif self._may_be_dropped(event):
                self._add_event(self._output, event)
            else:
                if isinstance(event, MetricsSeen) and self._output.waiting:
                    # The next console continues after this record: those before it must not be lost.
                    self._output.flush()
                self._append(to_json(event).encode("utf-8") + b"\n")
        except OSError as error:
            return self._stop(event.at, error)
        return self._full_notice(event.at)

    def _may_be_dropped(self, event: Event) -> bool:
        """Return whether an event belongs to the output: a dense step record, or one above the limit."""
        if isinstance(event, MetricsSeen):
            return not (self._room() and self._thinning.keeps(event))
        return isinstance(event, RankPhase) and not self._room()

    def _entries(self, chunk: LogChunk) -> list[tuple[Entry, bytes]]:
        """Return the entries of a chunk, one unless it is larger than an entry may be."""
        found = []
        for start in range(0, max(1, len(chunk.data)), ENTRY_BYTES):
            data = chunk.data[start : start + ENTRY_BYTES]
            entry = Entry(
                position=self._size,
                size=len(data),
                node=chunk.node,
                at=chunk.at,
                rank=chunk.rank,
                offset=chunk.offset + start,
            )
            found.append((entry, data))
        return found

    def _add_event(self, output: OutputWriter, event: Event) -> None:
        data = to_json(event).encode("utf-8")
        if len(data) <= ENTRY_BYTES:
            output.add(Entry(kind="event", position=self._size, size=len(data)), data)

    def _append(self, line: bytes) -> None:
        assert self._file is not None
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._size += len(line)

    def _room(self) -> bool:
        return self._size < self._limits.events

    def _full_notice(self, at: float) -> Notice | None:
        """Return a Notice once, when ``events.jsonl`` has no room left for what programs report."""
        if self._full or self._room():
            return None
        self._full = True
        return Notice(
            at=at,
            level="warning",
            text=message(
                "record.full",
                "the training program has reported more than {size:bytes} of metrics",
                size=self._limits.events,
            ),
            remedy=message(
                "record.full.remedy",
                "dtui keeps further records with the run's output and drops the oldest part of it; "
                "the metrics files on the nodes stay complete",
            ),
        )

    def _stop(self, at: float, error: OSError) -> Notice:
        assert self._file is not None
        assert self._output is not None
        self._output.abandon()
        self._file.truncate(self._size)
        self._close()
        return Notice(
            at=at,
            level="error",
            text=message(
                "record.stopped",
                "the run is no longer recorded: {error} ({file})",
                error=system_reason(error),
                file=str(self._store.events_file),
            ),
            remedy=message(
                "record.stopped.remedy",
                "free space on this disk and restart the console; the run itself continues",
            ),
        )

    def _drop_torn_line(self) -> None:
        """Cut off what a console that was killed left half written."""
        assert self._file is not None
        size = end = self._file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            self._file.seek(start)
            at = (self._file.read(end - start) or b"").rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        if end < size:
            self._file.truncate(end)
        self._size = end
