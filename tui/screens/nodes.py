"""Mode 1: which nodes there are and how they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from fleet.state import FleetState, NodeState
from tui import actions
from tui.operations import Draft, Refused
from tui.screens.base import ModeScreen
from tui.view_state import Kept, View
from tui.views import nodes as view
from tui.views.empty import empty_fleet
from tui.views.load import node_lights
from tui.widgets.lines import Lines
from tui.widgets.paint import Span, Spans
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table


class NodesScreen(ModeScreen):
    """The inventory with live links and facts; details of the node under the cursor."""

    mode = "nodes"
    main = "#nodes"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("nodes")

    DEFAULT_CSS = """
    NodesScreen #nodes { width: 1fr; height: 1fr; }
    NodesScreen #note { height: 1; padding: 0 1; background: $surface; }
    NodesScreen #detail { width: 46; height: 1fr; background: $surface; }
    NodesScreen.-huge #detail { width: 60; }
    NodesScreen.-narrow #detail { display: none; }
    NodesScreen.-narrow.-details #detail { display: block; width: 1fr; border-left: none; }
    NodesScreen.-narrow.-details #nodes { display: none; }
    NodesScreen.-wide.-details #detail, NodesScreen.-huge.-details #detail { display: none; }
    NodesScreen.-empty #nodes { display: none; }
    NodesScreen.-empty #detail { display: block; width: 1fr; border-left: none; padding: 1 4; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._sort = "inventory"
        self._wanted = ""
        self._columns: tuple[str, ...] = view.COLUMNS

    def body(self) -> Iterable[Widget]:
        """Table on the left, details on the right, a line that says what is shown."""
        with Horizontal():
            yield Table(id="nodes", marks=True)
            yield Lines(id="detail", classes="panel")
        yield Lines(id="note")

    def draw(self, state: FleetState) -> None:
        """Draw table, details and note."""
        cards = self.console.cards
        table = self.query_one("#nodes", Table)
        ran = view.last_runs(self.console.history, state)
        rows = view.rows(cards, state, self.texts, sort=self._sort, wanted=self._wanted, ran=ran)
        table.show(rows, view.columns(self.texts, self._columns))
        self.console.selection = table.marked
        detail = self.query_one("#detail", Lines)
        self.set_class(not cards, "-empty")
        card = next((card for card in cards if card.name == table.cursor), None)
        if not cards:
            detail.show(empty_fleet(self.texts))
        elif card is not None:
            node = state.nodes.get(card.name) or NodeState(card.name)
            room = max(20, detail.room)
            load = node_lights(self.console.engine.meaning(), node.name, self.texts, room)
            detail.show(view.details(card, node, self.texts, room, ran.get(card.name), load), card.name)
        else:
            detail.show([])
        self.query_one("#note", Lines).show([self._note(len(rows), len(cards), state)])

    def _note(self, shown: int, total: int, state: FleetState) -> Spans:
        texts = self.texts
        if not total:
            return [(texts("empty.short"), "muted")]
        node = state.nodes.get(self.query_one("#nodes", Table).cursor)
        if node is not None and node.link.state in ("failed", "lost"):
            return [(f"✗ {node.name}: {texts.said(node.link.detail)}", "fail")]
        gpus = sum(len(node.gpus) for node in state.nodes.values())
        spans: list[Span] = [
            (texts("nodes.count", count=total), "strong"),
            (f"  {texts('nodes.gpu_count', count=gpus)}", "text"),
        ]
        if self._wanted:
            spans.append((f"  {texts('nodes.filtered', shown=shown, wanted=self._wanted)}", "warn"))
        if self._sort != "inventory":
            spans.append((f"  {texts('nodes.sorted', by=texts(f'nodes.sort.{self._sort}'))}", "muted"))
        marked = len(self.query_one("#nodes", Table).marked)
        if marked:
            spans.append((f"  ● {texts('nodes.marked', count=marked)}", "accent"))
        return spans

    def charted(self) -> tuple[str, str]:
        """Begin with the node under the cursor."""
        return super().charted()[0], self.query_one("#nodes", Table).cursor

    def remember(self) -> View:
        """Return what the next start shows again."""
        columns = [key for key in self._columns if key not in view.FIXED]
        return {
            "sort": self._sort,
            "filter": self._wanted,
            "columns": columns,
            "hidden": [key for key in view.COLUMNS if key not in self._columns],
            "details": self.has_class("-details"),
            "node": self.query_one("#nodes", Table).cursor,
        }

    def recall(self, kept: Kept) -> None:
        """Show what was shown before; a column that is new since then is shown too."""
        self._sort = kept.text("sort", view.SORTS, "inventory")
        self._wanted = kept.text("filter")
        hidden = set(kept.names("hidden", view.COLUMNS)) - set(view.FIXED)
        named = kept.names("columns", view.COLUMNS)
        order = dict.fromkeys((*view.FIXED, *named, *view.COLUMNS))
        self._columns = tuple(key for key in order if key not in hidden)
        self.set_class(kept.flag("details"), "-details")
        self.call_after_refresh(self.show_item, kept.text("node"))

    def on_table_moved(self) -> None:
        """Show the other node's details."""
        self.redraw()

    def on_table_opened(self) -> None:
        """Show the details on a narrow terminal too."""
        if self.has_class("-narrow"):
            self.toggle_class("-details")
        self.redraw()

    def action_nodes_details(self) -> None:
        """Show or hide the details."""
        self.toggle_class("-details")
        self.call_after_refresh(self.redraw)

    def action_nodes_filter(self, words: str = "") -> None:
        """Ask for words and tags that a node must have, unless they are named."""

        def wanted(text: str) -> str | None:
            self._wanted = text
            self.redraw()
            return None

        if words:
            wanted(words)
            return
        self.query_one(Prompt).ask(self.texts("nodes.ask_filter"), self._wanted, wanted, wanted)

    def action_nodes_sort(self, by: str = "") -> None:
        """Sort by the next column, or the one named."""
        self._sort = by or view.SORTS[(view.SORTS.index(self._sort) + 1) % len(view.SORTS)]
        self.redraw()

    def action_nodes_columns(self) -> None:
        """Choose the columns and their order."""
        from tui.screens.columns import ColumnsScreen

        def changed(order: Sequence[str], shown: frozenset[str]) -> None:
            self._columns = tuple(key for key in order if key in shown)
            self.redraw()

        titles = [(column.key, column.title) for column in view.columns(self.texts)]
        self.app.push_screen(ColumnsScreen(titles, self._columns, view.FIXED, changed, self.texts))

    def action_nodes_test(self) -> None:
        """Connect to the marked nodes, or the one under the cursor, and read their facts anew."""
        table = self.query_one("#nodes", Table)
        names = sorted(table.marked) or [table.cursor]
        if names != [""]:
            self.console.engine.run("probe", lambda: self.console.operations.probe(names))

    def action_nodes_add(self) -> None:
        """Ask for a new node."""
        from tui.screens.form import Field, FormScreen

        texts = self.texts
        fields = [
            Field("name", texts("nodes.column.node"), texts("form.name_hint")),
            Field("address", texts("nodes.column.address"), texts("form.address_hint")),
            Field("transport", texts("nodes.column.via"), "ssh | winrm | auto", "auto"),
            Field("user", texts("form.user"), texts("form.user_hint")),
            Field("gpus", texts("nodes.column.gpus"), texts("form.gpus_hint")),
            Field("tags", texts("nodes.column.tags"), texts("form.tags_hint")),
        ]

        def save(values: dict[str, str]) -> str | None:
            return self._change(lambda: self.console.operations.add_node(Draft(**values)))

        def ask(values: dict[str, str], go: Callable[[], object]) -> None:
            name = values["name"] or values["address"]
            self.console.confirm_in_production(texts("confirm.add", name=name), [name], go)

        self.app.push_screen(FormScreen(texts("form.add_title"), fields, save, texts, ask=ask))

    def action_nodes_edit(self) -> None:
        """Edit the inventory's text."""
        self.console.switch_mode("config")

    def action_nodes_import(self) -> None:
        """Ask for a workers.json."""

        def read(text: str) -> str | None:
            path, operations = Path(text).expanduser(), self.console.operations
            if not operations.production:
                return self._change(lambda: operations.import_workers(path))
            question = self.texts("confirm.import", file=path.name)
            self.console.confirm(
                question, [], lambda: self.tell_fault(self._change(lambda: operations.import_workers(path)))
            )
            return None

        self.query_one(Prompt).ask(self.texts("nodes.ask_import"), "workers.json", read)

    def action_nodes_remove(self) -> None:
        """Take the marked nodes, or the one under the cursor, out of the inventory."""
        table = self.query_one("#nodes", Table)
        names = sorted(table.marked) or [table.cursor]
        if names == [""]:
            return

        def remove() -> None:
            self.tell_fault(self._change(lambda: self.console.operations.remove_nodes(names)))

        self.console.confirm(self.texts("confirm.remove", count=len(names)), names, remove)

    def _change(self, change: Callable[[], object]) -> str | None:
        try:
            change()
        except Refused as error:
            return self.texts.said(str(error))
        self.console.inventory_changed()
        return None
