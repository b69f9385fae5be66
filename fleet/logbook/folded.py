"""A source whose identical lines of several ranks are shown once, with all their ranks."""

from __future__ import annotations

from fleet.logbook.source import Line, Source

#: How many entries back a line may be folded into, how many are kept, and lines taken in one call.
REACH = 400
KEPT = 20_000
STEP = 20_000


class FoldedSource:
    """Folds the lines of ``source``: a rank's line joins an equal recent one that lacks this rank."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._entries: list[Line] = []
        self._first = 0
        self._taken = 0
        #: Text -> number of the newest entry with it.
        self._newest: dict[str, int] = {}

    @property
    def first(self) -> int:
        """The number of the oldest entry kept."""
        return self._first

    @property
    def end(self) -> int:
        """The number that the next entry will get."""
        return self._first + len(self._entries)

    def advance(self) -> None:
        """Fold the new lines; of more than STEP lines, the oldest are left out."""
        self._source.advance()
        start = max(self._taken, self._source.first, self._source.end - STEP)
        for line in self._source.read(start, self._source.end):
            self._take(line)
        self._taken = self._source.end
        excess = len(self._entries) - KEPT
        if excess > KEPT // 8:
            del self._entries[:excess]
            self._first += excess
            self._newest = {text: number for text, number in self._newest.items() if number >= self._first}

    def read(self, start: int, stop: int) -> list[Line]:
        """Return entries; ``ranks`` of each holds every rank that printed it, in order."""
        return self._entries[max(0, start - self._first) : max(0, stop - self._first)]

    def _take(self, line: Line) -> None:
        end = self.end
        number = self._newest.get(line.text)
        if number is not None and number >= max(self._first, end - REACH):
            entry = self._entries[number - self._first]
            if line.ranks[0] not in entry.ranks:
                ranks = tuple(sorted((*entry.ranks, *line.ranks)))
                self._entries[number - self._first] = entry._replace(ranks=ranks)
                return
        self._newest[line.text] = end
        self._entries.append(line._replace(number=end))
