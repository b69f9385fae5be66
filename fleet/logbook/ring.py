"""The newest lines of one rank's log, as bytes."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import NamedTuple

from fleet.frozen import frozen
from fleet.logbook.source import Line
from fleet.logbook.text import clean

#: Bounds of one rank's ring, and the length at which a line without an end is cut.
KEPT_LINES = 20_000
KEPT_BYTES = 8 << 20
LONGEST_LINE = 1 << 16


class _Mark(NamedTuple):
    """From line ``number`` on, lines arrived at ``at``; its first byte is at ``offset`` of the log file."""

    number: int
    at: float
    offset: int


@frozen
class Batch:
    """What one call of :meth:`RankLog.feed` completed: lines ``start`` up to ``stop``."""

    start: int
    stop: int


class RankLog:
    """A bounded ring of lines: bytes in, text out, absolute line numbers and byte offsets.

    ``feed`` and ``read`` may be called from different threads. Feeding costs no work per line: a chunk is
    split in one call, and one mark per chunk remembers time and offset.
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
        self._next_offset: int | None = None
        #: Bytes of the log file that never came (a gap between two chunks), and lines no longer kept.
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

    @property
    def next_offset(self) -> int:
        """The offset in the log file of the first byte that has not come yet."""
        return self._next_offset or 0

    def advance(self) -> None:
        """Nothing to do: a ring has taken in everything that was fed."""

    def feed(self, offset: int, data: bytes, at: float) -> Batch:
        """Add ``data``, which begins at ``offset`` of the log file; what is known already is left out."""
        with self._lock:
            start = self._first + len(self._lines)
            expected = self._next_offset
            if expected is not None and offset < expected:
                data, offset = data[expected - offset :], expected
            if not data:
                return Batch(start, start)
            if expected is not None and offset > expected:
                self._gap(offset - expected, at)
            self._next_offset = offset + len(data)
            self._append(offset, data, at)
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
        ranks = (self.rank,)
        pairs = zip(raw, marks, strict=True)
        return [Line(number, ranks, at, clean(line)) for number, (line, at) in enumerate(pairs, start)]

    def raw(self, start: int, stop: int) -> list[bytes]:
        """Return completed lines ``start`` up to ``stop`` as bytes; they begin at ``max(start, first)``."""
        with self._lock:
            return self._lines[max(0, start - self._first) : max(0, stop - self._first)]

    def offset_of(self, number: int) -> int:
        """Return the offset in the log file at which line ``number`` begins."""
        with self._lock:
            mark = self._mark_at(number)
            before = self._lines[max(0, mark.number - self._first) : number - self._first]
            return mark.offset + sum(len(line) + 1 for line in before)

    def arrived(self, number: int) -> float:
        """Return when line ``number`` arrived (master's clock)."""
        with self._lock:
            return self._mark_at(number).at

    def _append(self, offset: int, data: bytes, at: float) -> None:
        number = self._first + len(self._lines)
        pieces = data.split(b"\n")
        if not self._partial:
            self._partial_mark = None
        begun = self._partial_mark or _Mark(number, at, offset)
        if len(pieces) == 1:
            self._partial_mark = begun
            self._partial = self._partial + data
            self._cut_partial(at, offset + len(data))
            return
        rest = pieces.pop()
        head = pieces[0]
        first_end = offset + len(head) + 1
        pieces[0] = self._partial + head
        self._mark(begun)
        if len(pieces) > 1 and begun.offset + len(pieces[0]) + 1 != first_end:
            # The first line was shortened (see _cut_partial): offsets count anew from the second.
            self._mark(_Mark(number + 1, at, first_end))
        elif len(pieces) > 1 and begun.at != at:
            self._mark(_Mark(number + 1, at, first_end))
        self._lines.extend(pieces)
        self._size += len(data) + len(self._partial)
        self._partial = rest
        self._partial_mark = _Mark(number + len(pieces), at, offset + len(data) - len(rest)) if rest else None
        self._cut_partial(at, offset + len(data))

    def _cut_partial(self, at: float, end: int) -> None:
        """Keep an unfinished line bounded: of a progress bar its last state, of anything else a cut line."""
        if len(self._partial) <= LONGEST_LINE:
            return
        shown = self._partial.rfind(b"\r", 0, -1)
        if shown > 0 and len(self._partial) - shown <= LONGEST_LINE:
            self._partial = self._partial[shown + 1 :]
            return
        while len(self._partial) > LONGEST_LINE:
            mark = self._partial_mark or _Mark(self._first + len(self._lines), at, end - len(self._partial))
            self._mark(mark)
            self._lines.append(self._partial[:LONGEST_LINE])
            self._size += LONGEST_LINE
            self._partial = self._partial[LONGEST_LINE:]
            self._partial_mark = _Mark(mark.number + 1, at, end - len(self._partial))

    def _gap(self, size: int, at: float) -> None:
        self.missing += size
        offset = self._next_offset or 0
        number = self._first + len(self._lines)
        note = b"[dtui: %d bytes of this log did not arrive here]" % size
        lines = [self._partial, note] if self._partial else [note]
        self._mark(self._partial_mark or _Mark(number, at, offset - len(self._partial)))
        self._lines.extend(lines)
        self._size += sum(map(len, lines))
        self._partial, self._partial_mark = b"", None

    def _mark(self, mark: _Mark) -> None:
        if self._marks and self._marks[-1].number == mark.number:
            self._marks[-1] = mark
        else:
            self._marks.append(mark)

    def _trim(self) -> None:
        # Dropping from the front of a list moves the rest: let an eighth gather, then drop it at once.
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
            skipped = self._lines[max(0, base.number - self._first) : count]
            moved = base.offset + sum(len(line) + 1 for line in skipped)
            self._marks[keep] = _Mark(self._first + count, base.at, moved)
        del self._marks[:keep]
        del self._lines[:count]
        self._first += count
        self._size = left

    def _mark_at(self, number: int) -> _Mark:
        if self._partial_mark is not None and number >= self._partial_mark.number:
            return self._partial_mark
        position = bisect_right(self._marks, number, key=lambda mark: mark.number) - 1
        return self._marks[position] if position >= 0 else _Mark(self._first, 0.0, 0)

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
