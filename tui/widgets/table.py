"""A table of keyed rows with a cursor, marks and columns that make room for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from agent.wire.message import message
from tui.keys.action import ActionOwner, action
from tui.rendering.rows import GAP, Column, Row, fitted
from tui.rendering.spans import Spans, fit_spans
from tui.widgets.span_widget import SpanWidget


class Table(ActionOwner, SpanWidget, can_focus=True, inherit_bindings=False):
    """Rows under a header line; the cursor stays on its row's key when rows are added, removed or moved."""

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    class Opened(Moved):
        """Enter was pressed on a row."""

    class Marked(Moved):
        """Other rows are marked than before."""

    def __init__(
        self,
        columns: Sequence[Column] = (),
        *,
        id: str | None = None,  # noqa: A002
        marks: bool = False,
        gutter: int = 1,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.rows: Sequence[Row] = ()
        self.cursor = ""
        self.marked: frozenset[str] = frozenset()
        self._marks = marks
        self._gutter = gutter
        self._fitted: list[tuple[Column, int]] = []

    def show(self, rows: Sequence[Row], columns: Sequence[Column] | None = None) -> None:
        """Draw these rows; equal rows cost nothing."""
        if columns is not None and tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._fit()
        elif rows == self.rows:
            return
        before = self.position
        self.rows = rows
        keys = {row.key for row in rows}
        self.marked &= keys
        self.virtual_size = Size(self.room, len(rows) + 1)
        if self.cursor not in keys:
            self._put(min(before, len(rows) - 1))
        self.refresh()

    @property
    def position(self) -> int:
        """The cursor's row number, 0 when there is no row."""
        return next((i for i, row in enumerate(self.rows) if row.key == self.cursor), 0)

    def go_to(self, key: str) -> None:
        """Put the cursor on the row with this key, if there is one."""
        position = next((i for i, row in enumerate(self.rows) if row.key == key), None)
        if position is not None:
            self._put(position)

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._fit()

    def _fit(self) -> None:
        inner = self.room - 2 * self._gutter - (2 if self._marks else 0)
        self._fitted = fitted(self.columns, inner)
        self.virtual_size = Size(self.room, len(self.rows) + 1)
        self.refresh()

    def _put(self, position: int) -> None:
        key = self.rows[position].key if 0 <= position < len(self.rows) else ""
        if key == self.cursor:
            return
        self.cursor = key
        if key:
            # The header covers the first line of the window.
            self.scroll_to_region(
                Region(0, position, 1, 2), animate=False, force=True, immediate=True, x_axis=False
            )
        self.post_message(self.Moved(self, key))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the header in the first line of the window, rows below."""
        width = self.size.width
        if y == 0:
            return self.strip(self._line({c.key: [(c.title, "head")] for c in self.columns}, " "), width)
        number = y - 1 + self.scroll_offset.y
        if number >= len(self.rows):
            return self.strip((), width)
        row = self.rows[number]
        mark = self._mark_of(row)
        under = "chosen" if row.key in self.marked else ""
        if row.key == self.cursor and self.has_focus:
            under = "cursor"
        elif row.key == self.cursor:
            under = "chosen"
        return self.strip(self._line(row.cells, mark), width, under)

    def _mark_of(self, row: Row) -> str:
        return "●" if row.key in self.marked else " "

    def _line(self, cells: Mapping[str, Spans], mark: str) -> Spans:
        line = [(" " * self._gutter, "text")]
        if self._marks:
            line.append((f"{mark} ", "accent"))
        for column, width in self._fitted:
            line += fit_spans(cells.get(column.key, ()), width, column.align)
            line.append((" " * GAP, "text"))
        return line

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        if event.y > 0:
            self._put(event.y - 1 + self.scroll_offset.y)

    def on_focus(self) -> None:
        """Redraw the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Redraw the cursor."""
        self.refresh()

    @action(
        "up",
        "k",
        label=message("action.list.up", "Up"),
        help=message("action-help.list.up", "Move up"),
        palette=False,
    )
    def action_list_up(self) -> None:
        """Move the cursor up."""
        self._put(max(0, self.position - 1))

    @action(
        "down",
        "j",
        label=message("action.list.down", "Down"),
        help=message("action-help.list.down", "Move down"),
        palette=False,
    )
    def action_list_down(self) -> None:
        """Move the cursor down."""
        self._put(min(len(self.rows) - 1, self.position + 1))

    @action(
        "pageup",
        "ctrl+b",
        label=message("action.list.page-up", "Page up"),
        help=message("action-help.list.page-up", "Move up by a page"),
        palette=False,
    )
    def action_list_page_up(self) -> None:
        """Move the cursor up by a page."""
        self._put(max(0, self.position - max(1, self.size.height - 2)))

    @action(
        "pagedown",
        "ctrl+f",
        label=message("action.list.page-down", "Page down"),
        help=message("action-help.list.page-down", "Move down by a page"),
        palette=False,
    )
    def action_list_page_down(self) -> None:
        """Move the cursor down by a page."""
        self._put(min(len(self.rows) - 1, self.position + max(1, self.size.height - 2)))

    @action(
        "home",
        "g",
        label=message("action.list.top", "First"),
        help=message("action-help.list.top", "Go to the first row"),
        palette=False,
    )
    def action_list_top(self) -> None:
        """Move the cursor to the first row."""
        self._put(0)

    @action(
        "end",
        "G",
        label=message("action.list.bottom", "Last"),
        help=message("action-help.list.bottom", "Go to the last row"),
        palette=False,
    )
    def action_list_bottom(self) -> None:
        """Move the cursor to the last row."""
        self._put(len(self.rows) - 1)

    @action(
        "enter",
        label=message("action.list.open", "Open"),
        help=message("action-help.list.open", "Open the row"),
        palette=False,
    )
    def action_list_open(self) -> None:
        """Report that the row was opened."""
        if self.cursor:
            self.post_message(self.Opened(self, self.cursor))

    @action(
        "space",
        label=message("action.list.mark", "Mark"),
        help=message("action-help.list.mark", "Mark the row; operations act on the marked ones"),
        palette=False,
    )
    def action_list_mark(self) -> None:
        """Mark or unmark the row and move to the next."""
        if self._marks and self.cursor:
            self.marked ^= {self.cursor}
            self.post_message(self.Marked(self, self.cursor))
            self.action_list_down()
            self.refresh()

    @action(
        "asterisk",
        label=message("action.list.mark-all", "Mark all"),
        help=message("action-help.list.mark-all", "Mark every row, or none"),
        palette=False,
    )
    def action_list_mark_all(self) -> None:
        """Mark every row, or none when all are marked."""
        if self._marks:
            keys = frozenset(row.key for row in self.rows)
            self.marked = frozenset() if self.marked == keys else keys
            self.post_message(self.Marked(self, self.cursor))
            self.refresh()
