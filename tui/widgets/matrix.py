"""Nodes against checks as one widget, which draws the cells in view only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.geometry import Size
from textual.message import Message

from agent.wire.message import message
from tui.keys.action import action
from tui.rendering.rows import GAP, HEAD, Column, Row
from tui.rendering.spans import Span, Spans, fit_spans
from tui.widgets.table import Table

#: Cells for the name in front, and between the columns.
NAME = 14


class Matrix(Table):
    """A table with a cursor in both directions; the first column stays while the others scroll."""

    class Turned(Message):
        """The cursor is on another column."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.column = ""
        self._left = 0

    @property
    def across(self) -> int:
        """The cursor's column number, 0 when there is none."""
        return next((i for i, column in enumerate(self.columns) if column.key == self.column), 0)

    def show(self, rows: Sequence[Row], columns: Sequence[Column] | None = None) -> None:
        """Draw these rows; the cursor stays on its column's key."""
        super().show(rows, columns)
        if self.columns and self.column not in {column.key for column in self.columns}:
            self._turn(0)

    def _fit(self) -> None:
        room = self.room - 2 - NAME
        self._left = min(self._left, self.across)
        while self._left < self.across and self._span(self._left, self.across + 1) > room:
            self._left += 1
        right = self._left
        while right < len(self.columns) and self._span(self._left, right + 1) <= room:
            right += 1
        self._fitted = [(column, column.width) for column in self.columns[self._left : right]]
        self.virtual_size = Size(self.room, len(self.rows) + 1)
        self.refresh()

    def _span(self, start: int, stop: int) -> int:
        return sum(column.width + GAP for column in self.columns[start:stop])

    def _line(self, cells: Mapping[str, Spans], mark: str) -> Spans:
        heading = HEAD not in cells
        name = [("", "text")] if heading else cells[HEAD]
        more = "‹" if self._left else " "
        line: list[Span] = [(more, "muted"), *fit_spans(name, NAME), (" ", "text")]
        for column, width in self._fitted:
            spans = fit_spans(cells.get(column.key, ()), width, column.align)
            here = column.key == self.column and (heading or mark == "●")
            line += [(text, "here" if here else style) for text, style in spans]
            line.append((" " * GAP, "text"))
        if self._fitted and self._fitted[-1][0] is not self.columns[-1]:
            line.append(("›", "muted"))
        return line

    def _mark_of(self, row: Row) -> str:
        return "●" if row.key == self.cursor and self.has_focus else " "

    def _turn(self, number: int) -> None:
        if self.columns:
            self.column = self.columns[max(0, min(number, len(self.columns) - 1))].key
            self._fit()
            self.post_message(self.Turned())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor into the cell that was clicked."""
        super().on_click(event)
        start = NAME + 2
        for column, width in self._fitted:
            if start <= event.x < start + width + GAP:
                self._turn(self.columns.index(column))
            start += width + GAP

    @action(
        "left",
        "h",
        label=message("action.matrix.left", "Left"),
        help=message("action-help.matrix.left", "Go to the check on the left"),
        palette=False,
    )
    def action_matrix_left(self) -> None:
        """Move the cursor to the left."""
        self._turn(self.across - 1)

    @action(
        "right",
        "l",
        label=message("action.matrix.right", "Right"),
        help=message("action-help.matrix.right", "Go to the check on the right"),
        palette=False,
    )
    def action_matrix_right(self) -> None:
        """Move the cursor to the right."""
        self._turn(self.across + 1)
