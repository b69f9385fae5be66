"""The matching lines of a growing log, found once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import groupby

from fleet.logbook.matching import Matcher
from fleet.logbook.ring import RankLog
from fleet.logbook.source import Line
from fleet.logbook.surroundings import Surroundings

#: Lines examined per call, so that a screen never waits long.
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

    @property
    def scanned(self) -> int:
        """The number of the first line that has not been searched."""
        return self._scanned

    def has(self, number: int) -> bool:
        """Return whether a line that has been searched matches."""
        position = bisect_left(self.numbers, number)
        return position < len(self.numbers) and self.numbers[position] == number

    def after(self, number: int) -> int | None:
        """Return the first matching line after ``number``."""
        position = bisect_right(self.numbers, number)
        return self.numbers[position] if position < len(self.numbers) else None

    def before(self, number: int) -> int | None:
        """Return the last matching line before ``number``."""
        position = bisect_left(self.numbers, number)
        return self.numbers[position - 1] if position else None


class MatchSource:
    """The matching lines of a rank's log and ``context`` lines around each, numbered separately."""

    def __init__(self, log: RankLog, matcher: Matcher, context: int = 0) -> None:
        self.index = MatchIndex(log, matcher)
        self._around = Surroundings(context)
        #: The numbers in the log of what is shown, and how many of them are kept no longer.
        self._numbers: list[int] = []
        self._dropped = 0

    @property
    def first(self) -> int:
        """The number of the oldest line shown that is kept."""
        return self._dropped

    @property
    def end(self) -> int:
        """The number that the next line shown will get."""
        return self._dropped + len(self._numbers)

    def advance(self) -> None:
        """Search the lines that arrived since the last call."""
        index = self.index
        known = index.dropped + len(index.numbers)
        index.advance()
        first = index.log.first
        self._numbers += self._around.include(
            index.numbers[max(0, known - index.dropped) :], first, index.scanned
        )
        gone = bisect_left(self._numbers, first)
        if gone:
            del self._numbers[:gone]
            self._dropped += gone

    def read(self, start: int, stop: int) -> list[Line]:
        """Return what is shown; neighbours in the log are read together."""
        begin = max(0, start - self._dropped)
        numbers = self._numbers[begin : max(0, stop - self._dropped)]
        lines: list[Line] = []
        for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
            run = [number for _, number in group]
            found = {line.number: line for line in self.index.log.read(run[0], run[-1] + 1)}
            for number in run:
                line = found.get(number) or Line(number, (self.index.log.rank,), 0.0, "")
                position = begin + len(lines)
                lines.append(
                    line._replace(
                        number=self._dropped + position,
                        aside=not self.index.has(number),
                        after_gap=position > 0 and self._numbers[position - 1] != number - 1,
                    )
                )
        return lines
