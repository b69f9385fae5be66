"""Tables of the command line: columns that are declared once, and aligned text.

A Korean letter is two cells wide.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.cells import cell_len

from agent.wire.message import Message
from tui.i18n import Texts

T = TypeVar("T")


class TextColumn(NamedTuple, Generic[T]):
    """A column of a table of the command line, whose rows show values of type T."""

    title: Message
    cell: Callable[[T, Texts], str]
    #: Numbers end at the right.
    right: bool = False


def table(declared: Sequence[TextColumn[T]], items: Iterable[T], texts: Texts) -> list[str]:
    """Return the headings in capital letters and one line per item."""
    titles = [texts.translate(column.title).upper() for column in declared]
    return aligned([titles, *cells(declared, items, texts)], right=right_columns(declared))


def cells(declared: Sequence[TextColumn[T]], items: Iterable[T], texts: Texts) -> list[list[str]]:
    """Return the cells of each item's row."""
    return [[column.cell(item, texts) for column in declared] for item in items]


def right_columns(declared: Sequence[TextColumn[T]]) -> set[int]:
    """Return the numbers of the columns that end at the right."""
    return {number for number, column in enumerate(declared) if column.right}


def aligned(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> list[str]:
    """Return one line per row; the columns whose numbers are in ``right`` end at the right."""
    widths = [widest(column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            padded(cell, width, right=number in right)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return the text with blanks up to ``width`` cells, before it when it is to end at the right."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def widest(texts: Iterable[str]) -> int:
    """Return the width of the widest text in cells."""
    return max(map(cell_len, texts), default=0)


def headings(texts: Texts, *titles: Message) -> tuple[str, ...]:
    """Return the titles of columns, in capital letters where the language has them."""
    return tuple(texts.translate(title).upper() for title in titles)
