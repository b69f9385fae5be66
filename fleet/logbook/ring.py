"""The newest lines of one rank's log, as bytes."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import NamedTuple

from msgspec import Struct

from fleet.log_gap import gap_line, missing_before
from fleet.logbook.source import Line
from fleet.terminal import LONGEST_LINE, cut_before, last_state, open_sequence, render_bytes

#: Bounds of one rank's ring.
KEPT_LINES = 20_000
KEPT_BYTES = 8 << 20


class _Mark(NamedTuple):
    """From line ``number`` on, lines arrived at ``at``."""

    number: int
    at: float


class Batch(Struct, frozen=True):
    """What one call of :meth:`RankLog.feed` completed: lines ``start`` up to ``stop``."""

    start: int
    stop: int


class RankLog:
    """A bounded ring of lines: bytes in, text out, with absolute line numbers.

    ``feed`` and ``read`` may be called from different threads. Feeding costs no work per line: a chunk is
    split in one call, and one mark per chunk records its time.
    """

    def __init__(self, rank: int, *, lines: int = KEPT_LINES, size: int = KEPT_BYTES) -> None:
        self.rank = rank
        self._limit = lines
        self._size_limit = size
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._first = 0
        self._size = 0
        self._marks: list[_Mark] = []
        self._partial = b""
        self._partial_mark: _Mark | None = None
        #: Line -> the escape sequence that it continues, because the line before it was cut within one.
        self._opened: dict[int, bytes] = {}
        #: Offset in the log file of the first byte that has not arrived yet; None before the first chunk.
        self._next_offset: int | None = None
        #: Bytes of the log file that never arrived (a gap between two chunks), and lines no longer kept.
        self.missing = 0

    @property
    def first(self) -> int:
        """The number of the oldest line kept; also how many lines have been dropped."""
        return self._first

    @property
    def complete(self) -> int:
        """The number that the next line to be completed will have."""
        return self._first + len(self._lines)

    @property
    def end(self) -> int:
        """As :attr:`complete`, one more while an unfinished line waits."""
        with self._lock:
            return self._first + len(self._lines) + bool(self._partial)

    def advance(self) -> None:
        """Do nothing: a ring is always up to date."""

    def feed(self, offset: int, data: bytes, at: float) -> Batch:
        """Add ``data``, which starts at ``offset`` of the log file; known bytes are left out."""
        with self._lock:
            start = self._first + len(self._lines)
            expected = self._next_offset
            if expected is not None and offset < expected:
                data, offset = data[expected - offset :], expected
            if missing := missing_before(offset, data, expected):
                self._gap(missing, at)
            elif not data:
                return Batch(start, start)
            self._next_offset = offset + len(data)
            self._append(data, at)
            self._trim()
            return Batch(start, self._first + len(self._lines))

    def read(self, start: int, stop: int) -> list[Line]:
        """Return lines ``start`` up to ``stop`` as far as they are kept; the last may be unfinished."""
        with self._lock:
            start = max(start, self._first)
            complete = self._first + len(self._lines)
            raw = self._lines[start - self._first : max(0, stop - self._first)]
            if self._partial and start <= complete < stop:
                raw = [*raw, self._partial]
            marks = self._marks_of(start, start + len(raw))
            opened = self._opened
            if opened:
                raw = [opened.get(number, b"") + line for number, line in enumerate(raw, start)]
        ranks = (self.rank,)
        lines = []
        for number, (line, at) in enumerate(zip(raw, marks, strict=True), start):
            text, colors = render_bytes(line)
            lines.append(Line(number, ranks, at, text, colors=colors))
        return lines

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Return completed lines ``start`` up to ``stop`` as bytes; they start at ``max(start, first)``."""
        with self._lock:
            return self._lines[max(0, start - self._first) : max(0, stop - self._first)]

    def arrived(self, number: int) -> float:
        """Return when line ``number`` arrived (master's clock)."""
        with self._lock:
            return self._mark_at(number).at

    def _append(self, data: bytes, at: float) -> None:
        number = self._first + len(self._lines)
        pieces = data.split(b"\n")
        if not self._partial:
            self._partial_mark = None
        begun = self._partial_mark or _Mark(number, at)
        if len(pieces) == 1:
            self._partial_mark = begun
            self._partial = self._partial + data
            self._cut_partial(at)
            return
        rest = pieces.pop()
        pieces[0] = self._partial + pieces[0]
        self._mark(begun)
        if len(pieces) > 1 and begun.at != at:
            self._mark(_Mark(number + 1, at))
        self._lines.extend(pieces)
        self._size += len(data) + len(self._partial)
        self._partial = rest
        self._partial_mark = _Mark(number + len(pieces), at) if rest else None
        self._cut_partial(at)

    def _cut_partial(self, at: float) -> None:
        """Keep an unfinished line bounded: of a progress bar its last state, of anything else a cut line."""
        if len(self._partial) <= LONGEST_LINE:
            return
        self._partial = last_state(self._partial, LONGEST_LINE)
        while len(self._partial) > LONGEST_LINE:
            mark = self._partial_mark or _Mark(self._first + len(self._lines), at)
            self._mark(mark)
            cut = cut_before(self._partial, LONGEST_LINE)
            piece = self._partial[:cut]
            self._lines.append(piece)
            if opened := open_sequence(self._opened.get(mark.number, b"") + piece):
                self._opened[mark.number + 1] = opened
            self._size += cut
            self._partial = self._partial[cut:]
            self._partial_mark = _Mark(mark.number + 1, at)

    def _gap(self, size: int, at: float) -> None:
        self.missing += size
        number = self._first + len(self._lines)
        note = gap_line(size)
        lines = [self._partial, note] if self._partial else [note]
        self._mark(self._partial_mark or _Mark(number, at))
        self._lines.extend(lines)
        self._size += sum(map(len, lines))
        self._partial, self._partial_mark = b"", None

    def _mark(self, mark: _Mark) -> None:
        if self._marks and self._marks[-1].number == mark.number:
            self._marks[-1] = mark
        else:
            self._marks.append(mark)

    def _trim(self) -> None:
        # Dropping from the front of a list moves the rest: collect an eighth, then drop it in one step.
        if len(self._lines) <= self._limit + self._limit // 8 and self._size <= self._size_limit * 9 // 8:
            return
        count = max(0, len(self._lines) - self._limit)
        left = self._size - sum(map(len, self._lines[:count]))
        while left > self._size_limit and count < len(self._lines):
            left -= len(self._lines[count])
            count += 1
        keep = max(0, bisect_right(self._marks, self._first + count, key=lambda mark: mark.number) - 1)
        base = self._marks[keep] if self._marks else None
        if base is not None and base.number < self._first + count:
            self._marks[keep] = _Mark(self._first + count, base.at)
        del self._marks[:keep]
        del self._lines[:count]
        self._first += count
        if self._opened:
            self._opened = {number: seq for number, seq in self._opened.items() if number >= self._first}
        self._size = left

    def _mark_at(self, number: int) -> _Mark:
        if self._partial_mark is not None and number >= self._partial_mark.number:
            return self._partial_mark
        position = bisect_right(self._marks, number, key=lambda mark: mark.number) - 1
        return self._marks[position] if position >= 0 else _Mark(self._first, 0.0)

    def _marks_of(self, start: int, stop: int) -> list[float]:
        position = bisect_right(self._marks, start, key=lambda mark: mark.number) - 1
        times = []
        for number in range(start, stop):
            while position + 1 < len(self._marks) and self._marks[position + 1].number <= number:
                position += 1
            times.append(self._marks[position].at if position >= 0 else 0.0)
        if times and self._partial_mark is not None and stop - 1 >= self._partial_mark.number:
            times[-1] = self._partial_mark.at
        return times
