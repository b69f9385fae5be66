"""The matching lines of a growing log, found once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import groupby

from fleet.logbook.matching import Matcher
from fleet.logbook.ring import RankLog
from fleet.logbook.source import Line

#: Lines looked at in one call, so that a screen that asks never waits for long.
STEP = 50_000


class MatchIndex:
    """The numbers of a rank's lines that match, kept up to date as the log grows and drops."""

    def __init__(self, log: RankLog, matcher: Matcher) -> None:
        self.log = log
        self.matcher = matcher
        self.numbers: list[int] = []
        self.dropped = 0
        self._scanned = log.first

    def advance(self, limit: int = STEP) -> bool:
        """Look at up to ``limit`` new lines; returns whether everything has been looked at."""
        start = max(self._scanned, self.log.first)
        stop = min(self.log.complete, start + limit)
        raw = self.log.raw(start, stop)
        start = max(start, stop - len(raw))
        self.numbers.extend(start + position for position in self.matcher.select(raw))
        self._scanned = stop
        gone = bisect_left(self.numbers, self.log.first)
        if gone:
            del self.numbers[:gone]
            self.dropped += gone
        return stop >= self.log.complete

    def after(self, number: int) -> int | None:
        """Return the first matching line after ``number``."""
        position = bisect_right(self.numbers, number)
        return self.numbers[position] if position < len(self.numbers) else None

    def before(self, number: int) -> int | None:
        """Return the last matching line before ``number``."""
        position = bisect_left(self.numbers, number)
        return self.numbers[position - 1] if position else None


class MatchSource:
    """Only the matching lines of a rank's log, as a source with numbers of its own."""

    def __init__(self, log: RankLog, matcher: Matcher) -> None:
        self.index = MatchIndex(log, matcher)

    @property
    def first(self) -> int:
        """The number of the oldest matching line that is kept."""
        return self.index.dropped

    @property
    def end(self) -> int:
        """The number that the next matching line will get."""
        return self.index.dropped + len(self.index.numbers)

    def advance(self) -> None:
        """Look at the lines that came since the last call."""
        self.index.advance()

    def read(self, start: int, stop: int) -> list[Line]:
        """Return matching lines; neighbours in the log are read together."""
        begin = max(0, start - self.index.dropped)
        numbers = self.index.numbers[begin : max(0, stop - self.index.dropped)]
        lines: list[Line] = []
        for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
            run = [number for _, number in group]
            found = {line.number: line for line in self.index.log.read(run[0], run[-1] + 1)}
            for number in run:
                line = found.get(number) or Line(number, (self.index.log.rank,), 0.0, "")
                lines.append(line._replace(number=self.index.dropped + begin + len(lines)))
        return lines
