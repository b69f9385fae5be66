"""Rows and columns of a table or matrix, and which columns fit into a width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tui.rendering.spans import Spans

#: Cells between two columns.
GAP = 2
#: Column of the name in front: no node and no check has an empty name.
HEAD = ""


class Column(Struct, frozen=True):
    """One column: ``width`` cells at least; ``grow`` is its share of what is left over.

    Where the table is too narrow, columns go by ``order``, the highest first; those of order 0 stay.
    """

    key: str
    title: str
    width: int
    grow: int = 0
    align: str = "left"
    order: int = 0


class Row(Struct, frozen=True):
    """One row: its key (stays with what it shows) and its cells by column."""

    key: str
    cells: Mapping[str, Spans]


def fitted(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit into ``width`` cells, each with its width."""
    shown = list(columns)
    while shown and sum(column.width + GAP for column in shown) - GAP > width:
        last = max(shown, key=lambda column: column.order)
        if last.order == 0:
            break
        shown.remove(last)
    spare = width - sum(column.width + GAP for column in shown) + GAP
    shares = sum(column.grow for column in shown)
    if spare <= 0 or not shares:
        return [(column, column.width) for column in shown]
    return [(column, column.width + spare * column.grow // shares) for column in shown]
