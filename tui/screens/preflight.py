"""Mode 2: will a run start on these nodes?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from fleet.state import FleetState
from tui import actions
from tui.screens.base import ModeScreen
from tui.views import preflight as view
from tui.views.empty import empty_fleet
from tui.widgets.lines import Lines
from tui.widgets.matrix import Matrix
from tui.widgets.prompt import Prompt


class PreflightScreen(ModeScreen):
    """The matrix of nodes and checks, and the result under the cursor in full."""

    mode = "preflight"
    main = "#matrix"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("preflight")

    DEFAULT_CSS = """
    PreflightScreen #summary { height: 2; padding: 0 2; margin-top: 1; }
    PreflightScreen #matrix { height: auto; max-height: 60%; min-height: 4; }
    PreflightScreen #detail { height: 1fr; padding: 0 2; background: $surface; }
    PreflightScreen #detail { border-top: solid $panel-lighten-1; }
    PreflightScreen.-empty #matrix, PreflightScreen.-empty #summary { display: none; }
    PreflightScreen.-empty #detail { border-top: none; padding: 1 4; }
    """

    def body(self) -> Iterable[Widget]:
        """Summary, matrix, details."""
        yield Lines(id="summary")
        yield Matrix(id="matrix")
        yield Lines(id="detail")

    def draw(self, state: FleetState) -> None:
        """Draw summary, matrix and details."""
        matrix, detail = self.query_one(Matrix), self.query_one("#detail", Lines)
        self.set_class(not self.console.cards, "-empty")
        cards, texts = self.console.cards, self.texts
        matrix.show(view.rows(cards, state, texts), view.columns(cards, state, texts))
        self.query_one("#summary", Lines).show(view.summary(state, self.texts))
        if not self.console.cards:
            detail.show(empty_fleet(self.texts, elsewhere=True))
        elif not state.checks:
            detail.show([])
        else:
            name, check = self._cell()
            node = state.nodes.get(name)
            found = node.checks.get(check) if node else None
            detail.show(view.details(name, check, found, texts, max(20, detail.room)))

    def _cell(self) -> tuple[str, str]:
        """Node and check under the cursor."""
        matrix = self.query_one(Matrix)
        turned = view.turned(self.console.cards, self.console.engine.state)
        return (matrix.column, matrix.cursor) if turned else (matrix.cursor, matrix.column)

    def on_table_moved(self) -> None:
        """Show the other result."""
        self.redraw()

    def on_matrix_turned(self) -> None:
        """Show the other result."""
        self.redraw()

    def action_preflight_start(self) -> None:
        """Run all checks on the marked nodes, or all."""
        self._run(self.console.targets(), ())

    def action_preflight_cell(self) -> None:
        """Run the check under the cursor again."""
        node, check = self._cell()
        self._run([node], [check] if check else [])

    def action_preflight_row(self) -> None:
        """Run all checks of the node under the cursor again."""
        self._run([self._cell()[0]], ())

    def action_preflight_column(self) -> None:
        """Run the check under the cursor again on all nodes."""
        self._run(self.console.targets(), [self._cell()[1]])

    def action_preflight_failures(self) -> None:
        """Run again whatever failed."""
        failed = view.failures(self.console.engine.state)
        if not failed:
            self.notify(self.texts("preflight.no_failures"))
            return
        self._run(list(failed), sorted({check for checks in failed.values() for check in checks}))

    def action_preflight_export(self) -> None:
        """Ask for a file and write the results to it."""
        state = self.console.engine.state

        def save(name: str) -> str | None:
            return self.write_new(Path(name), view.markdown(state, self.texts))

        self.query_one(Prompt).ask(self.texts("preflight.ask_export"), "preflight.md", save)

    def _run(self, nodes: Sequence[str], checks: Sequence[str]) -> None:
        operations = self.console.operations
        nodes = [node for node in nodes if node]
        if not nodes:
            return
        if not self.console.engine.run("preflight", lambda: operations.preflight(nodes, checks)):
            self.notify(self.texts("preflight.busy"), severity="warning")
