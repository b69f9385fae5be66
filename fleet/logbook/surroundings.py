"""The lines around those that match, worked out as a log grows."""

from __future__ import annotations

from collections.abc import Sequence


class Surroundings:
    """Takes the numbers of matching lines in their order; gives those to show, each once, in their order."""

    def __init__(self, context: int) -> None:
        self._context = context
        #: The number after the last line that is shown, and after the last that a match still needs.
        self._next = 0
        self._until = 0

    def include(self, hits: Sequence[int], first: int, stop: int) -> list[int]:
        """Return what ``hits`` add, now that lines from ``first``, the oldest kept, to ``stop`` are known."""
        shown: list[int] = []
        for hit in hits:
            self._show(shown, first, min(self._until, hit))
            self._next = max(self._next, hit - self._context)
            self._show(shown, first, hit + 1)
            self._until = hit + 1 + self._context
        self._show(shown, first, min(self._until, stop))
        return shown

    def _show(self, shown: list[int], first: int, stop: int) -> None:
        shown.extend(range(max(self._next, first), stop))
        self._next = max(self._next, stop)
