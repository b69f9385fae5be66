"""The logs of all ranks of a run."""

from __future__ import annotations

import threading
from typing import NamedTuple

from fleet.events import LogChunk
from fleet.logbook.ring import KEPT_BYTES, KEPT_LINES, RankLog

#: Chunks whose order of arrival is remembered for merged views, and bytes over all ranks.
KEPT_SPANS = 50_000
TOTAL_BYTES = 256 << 20


class Span(NamedTuple):
    """Lines ``start`` up to ``stop`` of a rank, completed together at ``at``."""

    rank: int
    start: int
    stop: int
    at: float
    #: Of a filtered view: they match nothing themselves.
    aside: bool = False


class Logbook:
    """One ring per rank, and the order in which their lines arrived. One thread feeds it, another reads."""

    def __init__(self, *, lines: int = KEPT_LINES, size: int = KEPT_BYTES) -> None:
        self._lines = lines
        self._size = size
        self._logs: dict[int, RankLog] = {}
        self._spans: list[Span] = []
        self._dropped = 0
        self._lock = threading.Lock()

    @property
    def ranks(self) -> list[int]:
        """The ranks that have a log, in order."""
        with self._lock:
            return sorted(self._logs)

    def log(self, rank: int) -> RankLog:
        """Return the ring of ``rank``, empty when nothing has arrived yet."""
        with self._lock:
            found = self._logs.get(rank)
            if found is None:
                found = self._logs[rank] = RankLog(rank, lines=self._lines, size=self._size)
            return found

    def expect(self, ranks: int) -> None:
        """Share TOTAL_BYTES among ``ranks`` logs; call before the first chunk of a run."""
        self._size = min(self._size, max(1 << 20, TOTAL_BYTES // max(1, ranks)))

    def add(self, chunk: LogChunk) -> None:
        """Add a chunk to its rank's log."""
        log = self.log(chunk.rank)
        batch = log.feed(chunk.offset, chunk.data, chunk.at)
        if batch.stop > batch.start:
            with self._lock:
                self._spans.append(Span(chunk.rank, batch.start, batch.stop, chunk.at))
                excess = len(self._spans) - KEPT_SPANS
                if excess > KEPT_SPANS // 8:
                    del self._spans[:excess]
                    self._dropped += excess

    def spans_since(self, seen: int) -> tuple[list[Span], int]:
        """Return the spans after the first ``seen`` ones, as far as kept, and how many there are by now."""
        with self._lock:
            return self._spans[max(0, seen - self._dropped) :], self._dropped + len(self._spans)
