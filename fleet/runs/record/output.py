"""Writes a run's output into segments, and drops the oldest ones above the limit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from fleet.runs.record.folder import OutputFolder, Unreadable
from fleet.runs.record.limits import SEGMENT_BYTES, RecordLimits
from fleet.runs.record.segment import Entry, SegmentWriter


class OutputWriter:
    """Appends entries below ``folder``; only one may be open per run. All methods raise OSError.

    A segment that another writer left is never appended to: it may lack its end.
    """

    def __init__(
        self,
        folder: OutputFolder,
        run: str,
        limits: RecordLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._run = run
        self._limits = limits
        self._clock = clock
        self._segment: SegmentWriter | None = None
        #: Number and size of each finished segment, the oldest first.
        self._sizes: deque[tuple[int, int]] = deque()
        self._total = 0
        self._next = 1
        self._flushed = clock()
        self._opened = False

    def add(self, entry: Entry, data: bytes) -> None:
        """Append an entry; it is on the disk after ``limits.flush`` seconds if more follows, or at close."""
        if self._segment is None:
            self._segment = self._begin()
        self._segment.add(entry, data)
        if self._segment.raw >= min(self._limits.segment, SEGMENT_BYTES):
            self._finish()
        elif self._clock() - self._flushed >= self._limits.flush:
            self.flush()

    @property
    def waiting(self) -> bool:
        """Whether anything waits in memory."""
        return self._segment is not None and self._segment.waiting

    def flush(self) -> None:
        """Write what waits in memory."""
        self._flushed = self._clock()
        if self._segment is not None:
            self._segment.flush()

    def close(self) -> None:
        """Finish the open segment."""
        if self._segment is not None:
            self._finish()

    def abandon(self) -> None:
        """Close the file without writing; what is in it up to the last flush stays readable."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _begin(self) -> SegmentWriter:
        if not self._opened:
            self._find_segments()
        number, self._next = self._next, self._next + 1
        self._flushed = self._clock()
        return SegmentWriter(self._folder.segment(number), self._run)

    def _find_segments(self) -> None:
        self._folder.path.mkdir(mode=0o700, exist_ok=True)
        dropped = self._folder.dropped()
        until = 0 if isinstance(dropped, Unreadable) else dropped.until
        for number in self._folder.numbers():
            size = self._folder.segment(number).stat().st_size
            self._sizes.append((number, size))
            self._total += size
        last = self._sizes[-1][0] if self._sizes else 0
        self._next = max(last, until) + 1
        self._opened = True

    def _finish(self) -> None:
        assert self._segment is not None
        segment = self._segment
        segment.finish()
        segment.close()
        self._segment = None
        self._sizes.append((self._next - 1, segment.size))
        self._total += segment.size
        while self._total > self._limits.output and len(self._sizes) > 1:
            number, size = self._sizes.popleft()
            self._folder.drop(number)
            self._total -= size
