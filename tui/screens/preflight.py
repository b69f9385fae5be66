"""Mode 2: will a run start on these nodes?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from fleet.events import Event
from fleet.state import FleetState
from tui import actions
from tui.screens.base import ModeScreen
from tui.screens.preflight_faces import ChecksFace, Face, WaysFace
from tui.view_state import Kept, View
from tui.views import preflight as view
from tui.views import ways
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

    def __init__(self) -> None:
        super().__init__()
        #: Whether the matrix shows ways between nodes instead of checks.
        self._ways = False

    @cached_property
    def _faces(self) -> tuple[Face, Face]:
        return ChecksFace(self.console), WaysFace(self.console)

    @property
    def _face(self) -> Face:
        return self._faces[self._ways]

    @property
    def _matrix(self) -> Matrix:
        return self.query_one(Matrix)

    def draw(self, state: FleetState) -> None:
        """Draw summary, matrix and details."""
        cards, matrix, detail = self.console.cards, self._matrix, self.query_one("#detail", Lines)
        self.set_class(not cards, "-empty")
        found = self._face.draw(state, self.query_one("#summary", Lines), matrix, max(20, detail.room))
        detail.show(
            found if cards else empty_fleet(self.texts, elsewhere=True), f"{matrix.cursor} {matrix.column}"
        )

    def remember(self) -> View:
        """Return whether the matrix shows ways."""
        return {"ways": self._ways}

    def recall(self, kept: Kept) -> None:
        """Show ways or checks, as before."""
        self._ways = kept.flag("ways")

    def on_table_moved(self) -> None:
        """Show the other result."""
        self.redraw()

    def on_matrix_turned(self) -> None:
        """Show the other result."""
        self.redraw()

    def action_preflight_start(self) -> None:
        """Run all checks on the marked nodes, or all; of ways, try and measure each."""
        self._run(*self._face.all())

    def action_preflight_cell(self) -> None:
        """Run the check, or try the way, under the cursor again."""
        self._run(*self._face.cell(self._matrix))

    def action_preflight_row(self) -> None:
        """Run all checks of the node under the cursor again, or try all ways from and to it."""
        self._run(*self._face.row(self._matrix))

    def action_preflight_column(self) -> None:
        """Run the check under the cursor again on all nodes, or try all ways to this node."""
        self._run(*self._face.column(self._matrix))

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
        troubles, advice = self._face.troubles(self._matrix), self._face.advice(self._matrix)
        if advice and not troubles:
            self.notify(self.texts("preflight.not_fixable", remedy=self.texts.said(advice)), markup=False)
        else:
            self._mend(troubles)

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
