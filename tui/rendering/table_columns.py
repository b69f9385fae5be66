"""Columns of tables, each declared once: title, cells, width, sorting, and whether it is shown at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from agent.wire.message import Message
from tui.i18n import Texts
from tui.rendering.rows import Column, Row
from tui.rendering.spans import Spans

T = TypeVar("T")


class TableColumn(Struct, Generic[T], frozen=True):
    """A column of a table whose rows show values of type T."""

    key: str
    title: Message
    cell: Callable[[T, Texts], Spans]
    #: Cells of the terminal at least; ``grow`` is the column's share of what is left over.
    width: int
    grow: int = 0
    align: Literal["left", "right"] = "left"
    #: A table that is too narrow omits the columns with the highest order first; those of order 0 stay.
    order: int = 0
    #: By what rows are sorted; None where sorting by this column makes no sense.
    sort: Callable[[T], tuple[float | str, ...]] | None = None
    #: Whether the column is shown until the user chooses other columns.
    shown: bool = True


def columns(declared: Iterable[TableColumn[T]], texts: Texts) -> list[Column]:
    """Return the columns as a table widget takes them."""
    return [
        Column(one.key, texts.translate(one.title), one.width, one.grow, one.align, one.order)
        for one in declared
    ]


def row_of(key: str, item: T, declared: Sequence[TableColumn[T]], texts: Texts) -> Row:
    """Return an item's row; ``key`` identifies it in the table."""
    return Row(key, {one.key: one.cell(item, texts) for one in declared})
