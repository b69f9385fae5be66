"""Mode 2: will a run start on these nodes?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from textual.widget import Widget

from agent.wire.message import message
from fleet.state import FleetState
from tui.actions.context import ScreenContext
from tui.keys.action import action
from tui.screens.base import ModeScreen
from tui.screens.preflight_matrices import ChecksMatrix, MatrixContent, RoutesMatrix
from tui.state.view_state import SavedValues, View
from tui.views import preflight as view
from tui.views import routes
from tui.views.empty import empty_fleet
from tui.widgets.lines import Lines
from tui.widgets.matrix import Matrix
from tui.widgets.prompt import Prompt


class PreflightScreen(ModeScreen):
    """The matrix of nodes and checks, and the result under the cursor in full."""

    mode = "preflight"
    main = "#matrix"
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

    def __init__(self, context: ScreenContext) -> None:
        super().__init__(context)
        #: Whether the matrix shows routes between nodes instead of checks.
        self._routes = False

    @cached_property
    def _contents(self) -> tuple[MatrixContent, MatrixContent]:
        return ChecksMatrix(self.session), RoutesMatrix(self.session)

    @property
    def _content(self) -> MatrixContent:
        return self._contents[self._routes]

    @property
    def _matrix(self) -> Matrix:
        return self.query_one(Matrix)

    def draw(self, state: FleetState) -> None:
        """Draw summary, matrix and details."""
        cards, matrix, detail = self.session.cards, self._matrix, self.query_one("#detail", Lines)
        self.set_class(not cards, "-empty")
        found = self._content.draw(state, self.query_one("#summary", Lines), matrix, max(20, detail.room))
        detail.show(
            found if cards else empty_fleet(self.texts, elsewhere=True), f"{matrix.cursor} {matrix.column}"
        )

    def remember(self) -> View:
        """Return whether the matrix shows routes."""
        return {"routes": self._routes}

    def recall(self, kept: SavedValues) -> None:
        """Show routes or checks, as before."""
        # Earlier versions saved it as "ways".
        self._routes = kept.flag("routes") or kept.flag("ways")

    def on_table_moved(self) -> None:
        """Show the other result."""
        self.redraw()

    def on_matrix_turned(self) -> None:
        """Show the other result."""
        self.redraw()

    @action(
        "p",
        label=message("action.preflight.start", "Check all"),
        help=message("action-help.preflight.start", "Run every check on the marked nodes, or all"),
        bar=10,
    )
    def action_preflight_start(self) -> None:
        """Run all checks on the marked nodes, or all; for routes, test and measure each."""
        self._run(*self._content.all())

    @action(
        "r",
        label=message("action.preflight.cell", "Rerun"),
        help=message("action-help.preflight.cell", "Rerun the selected check"),
        bar=11,
    )
    def action_preflight_cell(self) -> None:
        """Rerun the check, or test the route, under the cursor."""
        self._run(*self._content.cell(self._matrix))

    @action(
        "R",
        label=message("action.preflight.row", "Rerun node"),
        help=message("action-help.preflight.row", "Rerun all checks of this node"),
    )
    def action_preflight_row(self) -> None:
        """Rerun all checks of the node under the cursor, or test all routes from and to it."""
        self._run(*self._content.row(self._matrix))

    @action(
        "C",
        label=message("action.preflight.column", "Rerun check"),
        help=message("action-help.preflight.column", "Rerun this check on all nodes"),
    )
    def action_preflight_column(self) -> None:
        """Rerun the check under the cursor on all nodes, or test all routes to its target."""
        self._run(*self._content.column(self._matrix))

    @action(
        "f",
        label=message("action.preflight.failures", "Rerun failed"),
        help=message("action-help.preflight.failures", "Rerun the failed checks"),
        bar=12,
    )
    def action_preflight_failures(self) -> None:
        """Rerun the failed checks."""
        failed = view.failures(self.session.engine.state)
        if not failed:
            self.notify(self.texts("preflight.no_failures"))
            return
        self._run(list(failed), sorted({check for checks in failed.values() for check in checks}))

    @action(
        "w",
        label=message("action.preflight.routes", "Routes"),
        help=message("action-help.preflight.routes", "Show the routes between nodes, or the checks again"),
        bar=13,
    )
    def action_preflight_routes(self) -> None:
        """Show the routes between nodes, or the checks again."""
        self._routes = not self._routes
        self.redraw()

    @action(
        "m",
        label=message("action.preflight.fix", "Fix"),
        help=message(
            "action-help.preflight.fix", "Fix what the selected check found (shows the command and asks)"
        ),
        bar=14,
        writes=True,
    )
    def action_preflight_fix(self) -> None:
        """Fix what is under the cursor, after showing the command and asking."""
        troubles, advice = self._content.troubles(self._matrix), self._content.advice(self._matrix)
        if advice and not troubles:
            self.notify(self.texts("preflight.not_fixable", remedy=self.texts.translate(advice)))
        else:
            self.fleet_actions.fix(troubles)

    @action(
        "M",
        label=message("action.preflight.fix-all", "Fix all"),
        help=message(
            "action-help.preflight.fix-all",
            "Fix everything that dtui can on the marked nodes, or all (asks each time)",
        ),
        writes=True,
    )
    def action_preflight_fix_all(self) -> None:
        """Fix what dtui can, asking for each."""
        self.fleet_actions.fix(view.troubles(self.session.engine.state, self.session.targets()))

    @action(
        "o",
        label=message("action.preflight.export", "Export"),
        help=message("action-help.preflight.export", "Save the results as a Markdown table"),
    )
    def action_preflight_export(self) -> None:
        """Ask for a file and write the results to it."""
        state = self.session.engine.state

        def save(name: str) -> str | None:
            report = view.markdown(state, self.texts) + routes.markdown(self.session.cards, state, self.texts)
            return self.write_new(Path(name), report)

        self.query_one(Prompt).ask(self.texts("preflight.ask_export"), "preflight.md", save)

    def _run(self, nodes: Sequence[str], checks: Sequence[str]) -> None:
        self.fleet_actions.preflight([node for node in nodes if node], checks)
