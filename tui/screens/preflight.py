"""Mode 2: will a run start on these nodes?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from fleet.events import Event
from fleet.state import FleetState
from tui import actions
from tui.screens.base import ModeScreen
from tui.view_state import Kept, View
from tui.views import preflight as view
from tui.views import ways
from tui.views.empty import empty_fleet
from tui.views.ways_board import WaysBoard
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

    def __init__(self) -> None:
        super().__init__()
        #: Whether the matrix shows ways between nodes instead of checks.
        self._ways = False
        self._board = WaysBoard()

    def draw(self, state: FleetState) -> None:
        """Draw summary, matrix and details."""
        cards, texts = self.console.cards, self.texts
        self.set_class(not cards, "-empty")
        matrix, detail = self.query_one(Matrix), self.query_one("#detail", Lines)
        summary, room = self.query_one("#summary", Lines), max(20, detail.room)
        if self._ways:
            matrix.show(ways.rows(cards, state, texts), ways.columns(cards))
            self._board.look([card.name for card in cards], state)
            summary.show(ways.summary(self._board, state, texts, summary.room))
            found = ways.details(matrix.cursor, matrix.column, state, texts, room)
            found += ways.closed_ways(self._board, texts, room)
        else:
            matrix.show(view.rows(cards, state, texts), view.columns(cards, state, texts))
            summary.show(view.summary(state, texts))
            name, check = self._cell()
            found = view.details(name, check, state.nodes.get(name), texts, room) if state.checks else []
        detail.show(
            found if cards else empty_fleet(texts, elsewhere=True), f"{matrix.cursor} {matrix.column}"
        )

    def remember(self) -> View:
        """Return whether the matrix shows ways."""
        return {"ways": self._ways}

    def recall(self, kept: Kept) -> None:
        """Show ways or checks, as before."""
        self._ways = kept.flag("ways")

    def _cell(self) -> tuple[str, str]:
        """Node and check under the cursor."""
        matrix = self.query_one(Matrix)
        turned = view.turned(self.console.cards, self.console.engine.state)
        return (matrix.column, matrix.cursor) if turned else (matrix.cursor, matrix.column)

    def _pair(self) -> list[str]:
        """The two nodes of the way under the cursor."""
        matrix = self.query_one(Matrix)
        return list(dict.fromkeys((matrix.cursor, matrix.column)))

    def on_table_moved(self) -> None:
        """Show the other result."""
        self.redraw()

    def on_matrix_turned(self) -> None:
        """Show the other result."""
        self.redraw()

    def action_preflight_start(self) -> None:
        """Run all checks on the marked nodes, or all; of ways, try and measure each."""
        self._run(self.console.targets(), ways.CHECKS if self._ways else ())

    def action_preflight_cell(self) -> None:
        """Run the check, or try the way, under the cursor again."""
        if self._ways:
            self._run(self._pair(), ways.CHECKS)
        else:
            node, check = self._cell()
            self._run([node], [check] if check else [])

    def action_preflight_row(self) -> None:
        """Run all checks of the node under the cursor again, or try all ways from and to it."""
        if self._ways:
            self._run(self._pair()[:1], ways.CHECKS)
        else:
            self._run([self._cell()[0]], ())

    def action_preflight_column(self) -> None:
        """Run the check under the cursor again on all nodes, or try all ways to this node."""
        if self._ways:
            self._run(self._pair()[-1:], ways.CHECKS)
        else:
            self._run(self.console.targets(), [self._cell()[1]])

    def action_preflight_failures(self) -> None:
        """Run again whatever failed."""
        failed = view.failures(self.console.engine.state)
        if not failed:
            self.notify(self.texts("preflight.no_failures"))
            return
        self._run(list(failed), sorted({check for checks in failed.values() for check in checks}))

    def action_preflight_ways(self) -> None:
        """Show who reaches whom, or the checks again."""
        self._ways = not self._ways
        self.redraw()

    def action_preflight_fix(self) -> None:
        """Mend what is under the cursor, after showing how and asking."""
        state = self.console.engine.state
        if self._ways:
            source, target = self._pair()[0], self._pair()[-1]
            self._mend({target: ways.closed(source, target, state)})
            return
        name, check = self._cell()
        node = state.nodes.get(name)
        found = node.checks.get(check) if node is not None else None
        if node is not None and view.mendable(check, node):
            self._mend({name: [check]})
        elif found is not None and found.remedy:
            self.notify(
                self.texts("preflight.not_fixable", remedy=self.texts.said(found.remedy)), markup=False
            )
        else:
            self.notify(self.texts("preflight.nothing_to_fix"))

    def action_preflight_fix_all(self) -> None:
        """Mend whatever dtui can, asking for each."""
        self._mend(view.troubles(self.console.engine.state, self.console.targets()))

    def _mend(self, troubles: Mapping[str, Sequence[str]]) -> None:
        if not any(troubles.values()):
            self.notify(self.texts("preflight.nothing_to_fix"))
            return
        operations, agreed = self.console.operations, self.console.questions.agreed
        self._start("mend", lambda: operations.mend(troubles, agreed))

    def action_preflight_export(self) -> None:
        """Ask for a file and write the results to it."""
        state = self.console.engine.state

        def save(name: str) -> str | None:
            report = view.markdown(state, self.texts) + ways.markdown(self.console.cards, state, self.texts)
            return self.write_new(Path(name), report)

        self.query_one(Prompt).ask(self.texts("preflight.ask_export"), "preflight.md", save)

    def _run(self, nodes: Sequence[str], checks: Sequence[str]) -> None:
        operations = self.console.operations
        nodes = [node for node in nodes if node]
        if nodes:
            self._start("preflight", lambda: operations.preflight(nodes, checks))

    def _start(self, name: str, stream: Callable[[], AsyncIterator[Event]]) -> None:
        # What is mended is checked again: two looks at once would tell of two times.
        engine = self.console.engine
        if engine.running & {"preflight", "mend"} or not engine.run(name, stream):
            self.notify(self.texts("preflight.busy"), severity="warning")
