"""The progress that the ranks of a run print, as the records that a metrics file would have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.events import Event, LogChunk, MetricsSeen, RankExited
from fleet.metrics_record import MetricsRecord
from fleet.printed import PrintedProgress


class PrintedFigures:
    """Fed with a run's events one by one; ``pattern`` is the user's own (``run.progress``)."""

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = re.compile(pattern) if pattern is not None else None
        self._ranks: dict[int, PrintedProgress] = {}
        #: Each rank's last output that has been read.
        self._last: dict[int, LogChunk] = {}
        #: Ranks that have printed something since ``held_back`` was last called.
        self._printing: set[int] = set()
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
            self._last[event.rank] = event
            self._printing.add(event.rank)
            record = printed.feed(event.data, event.at)
        else:
            record = printed.rest(event.at)
        return None if record is None else self._seen(event, record)

    def held_back(self) -> Iterator[MetricsSeen]:
        """Yield figures that ``add`` has not returned, of ranks that printed nothing since the last call.

        Called about once per second. Without it, the last figures before a long pause would not be seen.
        """
        quiet, self._printing = self._last.keys() - self._printing, set()
        for rank in sorted(quiet - self._exact):
            chunk = self._last[rank]
            if (record := self._ranks[rank].rest(chunk.at)) is not None:
                yield self._seen(chunk, record)

    def _seen(self, event: LogChunk | RankExited, record: MetricsRecord) -> MetricsSeen:
        last = self._last.get(event.rank)
        return MetricsSeen(
            node=event.node,
            at=event.at,
            run=event.run,
            rank=event.rank,
            record=record,
            end=0 if last is None else last.offset + len(last.data),
            source="output",
        )
