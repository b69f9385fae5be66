"""The progress that the ranks of a run print, as the records that a metrics file would have."""

from __future__ import annotations

import re

from fleet.events import Event, LogChunk, MetricsSeen, RankExited
from fleet.printed import PrintedProgress


class PrintedFigures:
    """Fed with a run's events one by one; ``pattern`` is the user's own (``run.progress``)."""

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._ranks: dict[int, PrintedProgress] = {}
        #: Where each rank's output that has been read ends.
        self._ends: dict[int, int] = {}
        #: Ranks that write a metrics file. It is exact, so what they print is not read.
        self._exact: set[int] = set()

    def add(self, event: Event) -> MetricsSeen | None:
        """Return a rank's new figures, at most once per second and when it ends; else None."""
        if isinstance(event, MetricsSeen) and event.source == "file" and event.record.kind == "step":
            self._exact.add(event.rank)
        if not isinstance(event, LogChunk | RankExited) or event.rank in self._exact:
            return None
        printed = self._ranks.get(event.rank)
        if printed is None:
            printed = self._ranks[event.rank] = PrintedProgress(self._pattern)
        if isinstance(event, LogChunk):
            self._ends[event.rank] = event.offset + len(event.data)
            record = printed.feed(event.data, event.at)
        else:
            record = printed.rest(event.at)
        if record is None:
            return None
        return MetricsSeen(
            node=event.node,
            at=event.at,
            run=event.run,
            rank=event.rank,
            record=record,
            end=self._ends.get(event.rank, 0),
            source="output",
        )
