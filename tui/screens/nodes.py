"""Mode 1: which nodes there are and how they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from textual.containers import Horizontal
from textual.widget import Widget

from agent.wire.message import message
from fleet.state import FleetState
from tui.actions.context import ScreenContext
from tui.keys.action import action
from tui.operations.interface import RefusedError
from tui.paths import expanded
from tui.rendering.spans import Span, Spans
from tui.rendering.table_columns import columns
from tui.screens.base import ModeScreen
from tui.state.view_state import SavedValues, View
from tui.views import nodes as view
from tui.views.empty import empty_fleet
from tui.views.load import node_health
from tui.widgets.lines import Lines
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table


class NodesScreen(ModeScreen):
    """The inventory with live links and facts; details of the node under the cursor."""

    mode = "nodes"
    main = "#nodes"
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

    def __init__(self, context: ScreenContext) -> None:
        super().__init__(context)
        self._sort = "inventory"
        self._wanted = ""
        self._columns = tuple(column.key for column in view.COLUMNS if column.shown)

    def body(self) -> Iterable[Widget]:
        """Table on the left, details on the right, and a summary line."""
        with Horizontal():
            yield Table(id="nodes", marks=True)
            yield Lines(id="detail", classes="panel")
        yield Lines(id="note")

    def draw(self, state: FleetState) -> None:
        """Draw table, details and note."""
        cards = self.session.cards
        table = self.query_one("#nodes", Table)
        ran = view.last_runs(self.session.history, state)
        shown = self._columns
        rows = view.rows(cards, state, self.texts, shown=shown, sort=self._sort, wanted=self._wanted, ran=ran)
        table.show(rows, columns([view.BY_KEY[key] for key in shown], self.texts))
        self.session.selection = table.marked
        detail = self.query_one("#detail", Lines)
        self.set_class(not cards, "-empty")
        card = next((card for card in cards if card.name == table.cursor), None)
        if not cards:
            detail.show(empty_fleet(self.texts))
        elif card is not None:
            node = state.node(card.name)
            room = max(20, detail.room)
            load = node_health(self.session.engine.load_summary(), node.name, self.texts, room)
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
            return [(f"✗ {node.name}: {texts.translate(node.link.detail)}", "fail")]
        gpus = sum(len(node.gpus) for node in state.nodes.values())
        spans: list[Span] = [
            (texts("nodes.count", count=total), "strong"),
            (f"  {texts('nodes.gpu_count', count=gpus)}", "text"),
        ]
        if self._wanted:
            spans.append((f"  {texts('nodes.filtered', shown=shown, wanted=self._wanted)}", "warn"))
        if self._sort != "inventory":
            by = texts.translate(view.BY_KEY[self._sort].title)
            spans.append((f"  {texts('nodes.sorted', by=by)}", "muted"))
        marked = len(self.query_one("#nodes", Table).marked)
        if marked:
            spans.append((f"  ● {texts('nodes.marked', count=marked)}", "accent"))
        return spans

    def chart_subject(self) -> tuple[str, str]:
        """Start with the node under the cursor."""
        return super().chart_subject()[0], self.query_one("#nodes", Table).cursor

    def remember(self) -> View:
        """Return what the next start shows again."""
        return {
            "sort": self._sort,
            "filter": self._wanted,
            "columns": [key for key in self._columns if key not in view.FIXED],
            "hidden": [key for key in view.BY_KEY if key not in self._columns],
            "details": self.has_class("-details"),
            "node": self.query_one("#nodes", Table).cursor,
        }

    def recall(self, kept: SavedValues) -> None:
        """Show what was shown before; a column that is new since then is shown if it is by default."""
        self._sort = kept.text("sort", view.SORTS, "inventory")
        self._wanted = kept.text("filter")
        known = tuple(view.BY_KEY)
        hidden, named = set(kept.names("hidden", known)), kept.names("columns", known)
        order = dict.fromkeys((*view.FIXED, *named, *known))
        self._columns = tuple(
            key
            for key in order
            if key in view.FIXED or (key not in hidden and (key in named or view.BY_KEY[key].shown))
        )
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

    @action(
        "slash",
        label=message("action.nodes.filter", "Filter"),
        help=message("action-help.nodes.filter", "Show only nodes with these words or tags"),
        bar=11,
        takes="text",
    )
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

    @action(
        "s",
        label=message("action.nodes.sort", "Sort"),
        help=message("action-help.nodes.sort", "Sort by the next column"),
        bar=12,
        takes="sort",
    )
    def action_nodes_sort(self, by: str = "") -> None:
        """Sort by the next column, or the one named."""
        self._sort = by or view.SORTS[(view.SORTS.index(self._sort) + 1) % len(view.SORTS)]
        self.redraw()

    @action(
        "c",
        label=message("action.nodes.columns", "Columns"),
        help=message("action-help.nodes.columns", "Choose the columns and their order"),
    )
    def action_nodes_columns(self) -> None:
        """Choose the columns and their order."""
        from tui.screens.columns import ColumnsScreen

        def changed(order: Sequence[str], shown: frozenset[str]) -> None:
            self._columns = tuple(key for key in order if key in shown)
            self.redraw()

        self.app.push_screen(ColumnsScreen(view.COLUMNS, self._columns, view.FIXED, changed, self.texts))

    @action(
        "t",
        label=message("action.nodes.test", "Test"),
        help=message("action-help.nodes.test", "Connect to the node and refresh its facts"),
        bar=13,
    )
    def action_nodes_test(self) -> None:
        """Connect to the marked nodes, or the one under the cursor, and read their facts again."""
        if names := self._chosen():
            self.fleet_actions.probe(names)

    @action(
        "a",
        label=message("action.nodes.add", "Add"),
        help=message("action-help.nodes.add", "Add a node"),
        bar=14,
        writes=True,
    )
    def action_nodes_add(self) -> None:
        """Ask for a new node."""
        from tui.dialogs.form import FormScreen
        from tui.dialogs.node_form import draft_of, node_fields

        texts = self.texts

        def save(values: dict[str, str]) -> str | None:
            return self._change(lambda: self.session.operations.add_node(draft_of(values)))

        def ask(values: dict[str, str], go: Callable[[], object]) -> None:
            name = values["name"] or values["address"]
            self.dialogs.confirm_in_production(texts("confirm.add", name=name), [name], go)

        self.app.push_screen(FormScreen(texts("form.add_title"), node_fields(texts), save, texts, ask=ask))

    @action(
        "e",
        label=message("action.nodes.edit", "Edit"),
        help=message("action-help.nodes.edit", "Edit nodes.yaml"),
        writes=True,
    )
    def action_nodes_edit(self) -> None:
        """Edit the inventory's text."""
        self.navigation.show_mode("config")

    @action(
        "i",
        label=message("action.nodes.import", "Import"),
        help=message("action-help.nodes.import", "Add the nodes of a workers.json"),
        writes=True,
    )
    def action_nodes_import(self) -> None:
        """Ask for a workers.json."""

        def read(text: str) -> str | None:
            path, operations = expanded(Path(text)), self.session.operations
            if not operations.production:
                return self._change(lambda: operations.import_workers(path))
            question = self.texts("confirm.import", file=path.name)
            self.dialogs.confirm(
                question, [], lambda: self.show_fault(self._change(lambda: operations.import_workers(path)))
            )
            return None

        self.query_one(Prompt).ask(self.texts("nodes.ask_import"), "workers.json", read)

    @action(
        "D",
        label=message("action.nodes.remove", "Remove"),
        help=message("action-help.nodes.remove", "Remove nodes from the inventory (asks)"),
        writes=True,
    )
    def action_nodes_remove(self) -> None:
        """Take the marked nodes, or the one under the cursor, out of the inventory."""
        names = self._chosen()
        if not names:
            return

        def remove() -> None:
            self.show_fault(self._change(lambda: self.session.operations.remove_nodes(names)))

        self.dialogs.confirm(self.texts("confirm.remove", count=len(names)), names, remove)

    @action(
        "v",
        label=message("action.nodes.details", "Details"),
        help=message("action-help.nodes.details", "Show or hide the details"),
        bar=15,
    )
    def action_nodes_details(self) -> None:
        """Show or hide the details."""
        self.toggle_class("-details")
        self.call_after_refresh(self.redraw)

    def _chosen(self) -> list[str]:
        """Return the marked nodes, or the one under the cursor."""
        table = self.query_one("#nodes", Table)
        return sorted(table.marked) or [name for name in (table.cursor,) if name]

    def _change(self, change: Callable[[], object]) -> str | None:
        try:
            change()
        except RefusedError as error:
            return self.texts.translate(error.what)
        self.session.engine.follow_inventory()
        self.redraw()
        return None
