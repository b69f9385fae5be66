"""Cells of a row that are made when they are drawn: of 256 x 256 a screen shows a few hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tui.rendering.spans import Spans


class Cells(Mapping[str, Spans]):
    """Column -> cell, by ``draw``. Two rows are equal when all their ``sources`` are the same objects."""

    def __init__(self, columns: Sequence[str], draw: Callable[[str], Spans], *sources: object) -> None:
        self._columns = columns
        self._draw = draw
        self._sources = sources

    def __getitem__(self, column: str) -> Spans:
        return self._draw(column)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cells) or len(self._sources) != len(other._sources):
            return False
        return all(mine is theirs for mine, theirs in zip(self._sources, other._sources, strict=True))

    __hash__ = None  # type: ignore[assignment]
