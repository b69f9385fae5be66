"""Several logs as one, in the order in which their lines arrived."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection

from fleet.logbook.book import Logbook, Span
from fleet.logbook.matching import Matcher
from fleet.logbook.source import Line
from fleet.logbook.surroundings import Surroundings

#: Maximum number of chunks in the merged view.
KEPT_SPANS = 20_000


class MergedSource:
    """The lines of the chosen ranks by arrival, optionally only the matching ones.

    Each is surrounded by ``context`` lines of the same rank: lines of
    other ranks from the same time do not explain them.
    """

    def __init__(
        self,
        book: Logbook,
        ranks: Collection[int] | None = None,
        matcher: Matcher | None = None,
        context: int = 0,
    ) -> None:
        self._book = book
        self._ranks = ranks
        self._matcher = matcher
        self._context = context
        self._around: dict[int, Surroundings] = {}
        self._spans: list[Span] = []
        #: The merged number of each span's first line.
        self._starts: list[int] = []
        self._first = 0
        self._end = 0
        self._seen = 0

    @property
    def first(self) -> int:
        """The number of the oldest line kept."""
        return self._first

    @property
    def end(self) -> int:
        """The number that the next line will get."""
        return self._end

    def advance(self) -> None:
        """Add the chunks that arrived since the last call."""
        spans, self._seen = self._book.spans_since(self._seen)
        for span in spans:
            if self._ranks is not None and span.rank not in self._ranks:
                continue
            for part in self._matching(span) if self._matcher else [span]:
                self._spans.append(part)
                self._starts.append(self._end)
                self._end += part.stop - part.start
        excess = len(self._spans) - KEPT_SPANS
        if excess > KEPT_SPANS // 8:
            del self._spans[:excess], self._starts[:excess]
            self._first = self._starts[0]

    def read(self, start: int, stop: int) -> list[Line]:
        """Return merged lines; a line that its rank's ring has dropped is empty."""
        start, stop = max(start, self._first), min(stop, self._end)
        lines: list[Line] = []
        position = max(0, bisect_right(self._starts, start) - 1)
        while start < stop and position < len(self._spans):
            span, base = self._spans[position], self._starts[position]
            low = span.start + start - base
            high = min(span.stop, span.start + stop - base)
            kept = {line.number: line for line in self._book.log(span.rank).read(low, high)}
            for number in range(low, high):
                line = kept.get(number) or Line(number, (span.rank,), span.at, "")
                gap = position > 0 and number == span.start and not _follows(span, self._spans[position - 1])
                lines.append(line._replace(number=start, aside=span.aside, after_gap=gap))
                start += 1
            position += 1
        return lines

    def _matching(self, span: Span) -> list[Span]:
        log = self._book.log(span.rank)
        raw = log.raw(span.start, span.stop)
        base = span.stop - len(raw)
        hits = [base + position for position in self._matcher.select(raw)] if self._matcher else []
        if not self._context:
            return [Span(span.rank, number, number + 1, span.at) for number in hits]
        around = self._around.setdefault(span.rank, Surroundings(self._context))
        matching = set(hits)
        return [
            Span(span.rank, number, number + 1, span.at, number not in matching)
            for number in around.include(hits, log.first, span.stop)
        ]


def _follows(span: Span, before: Span) -> bool:
    return span.rank == before.rank and span.start == before.stop
