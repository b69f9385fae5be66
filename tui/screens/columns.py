"""The columns of a table and their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.i18n import Texts
from tui.rendering.rows import Column, Row
from tui.rendering.table_columns import T, TableColumn
from tui.widgets.plain import PlainLabel, set_titles
from tui.widgets.table import Table


class ColumnsScreen(ModalScreen[None]):
    """Lists all columns, the shown ones marked; each change is shown in the table immediately.

    ``changed`` gets the keys in their order and those of them that are shown. Columns in ``fixed`` stay
    shown and stay first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,c", "dismiss", show=False, priority=True),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("J,shift+down", "move(1)", show=False),
        Binding("r", "reset", show=False),
    ]

    DEFAULT_CSS = """
    ColumnsScreen { align: center middle; background: $background 60%; }
    ColumnsScreen #box { width: 46; max-width: 96%; height: auto; max-height: 96%; }
    ColumnsScreen #box { background: $surface; border: round $primary; border-title-color: $primary; }
    ColumnsScreen #columns { height: auto; max-height: 20; }
    ColumnsScreen Label { color: $foreground 62%; padding: 1 1 0 1; }
    """

    def __init__(
        self,
        columns: Sequence[TableColumn[T]],
        shown: Sequence[str],
        fixed: Sequence[str],
        changed: Callable[[Sequence[str], frozenset[str]], object],
        texts: Texts,
    ) -> None:
        super().__init__()
        self._standard = [column.key for column in columns]
        self._shown_first = frozenset(column.key for column in columns if column.shown)
        self._titles = {column.key: texts.translate(column.title) for column in columns}
        self._order = [*shown, *(key for key in self._standard if key not in shown)]
        self._at_first = frozenset(shown)
        self._fixed = frozenset(fixed)
        self._changed = changed
        self._texts = texts

    def compose(self) -> ComposeResult:
        """Lay out the list and what its keys do."""
        box = Vertical(id="box")
        set_titles(box, self._texts("columns.title"))
        with box:
            yield Table([Column("title", self._texts("columns.head"), 16, 1)], id="columns", marks=True)
            yield PlainLabel(self._texts("columns.keys"))

    def on_mount(self) -> None:
        """Mark what is shown."""
        table = self._table
        table.focus()
        self._list()
        table.marked = self._at_first

    @property
    def _table(self) -> Table:
        return self.query_one("#columns", Table)

    def _list(self) -> None:
        self._table.show([Row(key, {"title": [(self._titles[key], "text")]}) for key in self._order])

    def on_table_marked(self) -> None:
        """Show what is marked; the fixed ones stay so."""
        table = self._table
        table.marked |= self._fixed
        self._changed(self._order, table.marked)

    def on_table_moved(self, event: Table.Moved) -> None:
        """Moving the cursor changes nothing."""
        event.stop()

    def action_move(self, step: int) -> None:
        """Move the column under the cursor up or down."""
        order, key = self._order, self._table.cursor
        place = order.index(key) if key in order else -1
        other = place + step
        if key in self._fixed or not 0 <= other < len(order) or order[other] in self._fixed:
            return
        order[place], order[other] = order[other], order[place]
        self._list()
        self._changed(order, self._table.marked)

    def action_reset(self) -> None:
        """Show the columns that are shown by default, in their usual order."""
        self._order = list(self._standard)
        self._list()
        self._table.marked = self._shown_first
        self._changed(self._order, self._table.marked)
