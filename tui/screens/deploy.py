"""Mode 3: put the project on the nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from fleet.state import FleetState, NodeState
from tui import actions
from tui.screens.base import ModeScreen
from tui.views import deploy as view
from tui.views.empty import empty_fleet
from tui.widgets.lines import Lines
from tui.widgets.table import Table


class DeployScreen(ModeScreen):
    """A bar for the whole fleet, a row a node, and what there is to say of the node under the cursor."""

    mode = "deploy"
    main = "#deploy"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("deploy")

    DEFAULT_CSS = """
    DeployScreen #summary { height: 3; padding: 0 1; margin-top: 1; }
    DeployScreen #deploy { height: auto; max-height: 50%; min-height: 5; }
    DeployScreen #detail { height: 1fr; padding: 0 1; background: $surface; }
    DeployScreen #detail { border-top: solid $panel-lighten-1; }
    DeployScreen.-empty #deploy, DeployScreen.-empty #summary { display: none; }
    DeployScreen.-empty #detail { border-top: none; padding: 1 4; }
    DeployScreen #detail:focus { border-top: solid $primary; }
    """

    def body(self) -> Iterable[Widget]:
        """Fleet bar, table, details."""
        yield Lines(id="summary")
        yield Table(view.columns(self.texts), id="deploy")
        yield Lines(id="detail", focusable=True)

    def draw(self, state: FleetState) -> None:
        """Draw bar, table and details."""
        summary, detail = self.query_one("#summary", Lines), self.query_one("#detail", Lines)
        table = self.query_one("#deploy", Table)
        self.set_class(not self.console.cards, "-empty")
        table.show(view.rows(self.console.cards, state, self.texts))
        summary.show(view.summary(state, self.texts, max(20, summary.room)))
        if not self.console.cards:
            detail.show(empty_fleet(self.texts, elsewhere=True))
            return
        node = state.nodes.get(table.cursor) or NodeState(table.cursor)
        detail.show(view.details(node, self.texts, max(20, detail.room)), node.name)

    def on_table_moved(self) -> None:
        """Show the other node's details."""
        self.redraw()

    def on_table_opened(self) -> None:
        """Let the details be scrolled."""
        self.query_one("#detail").focus()

    def action_deploy_start(self) -> None:
        """Deploy to the marked nodes, or all."""
        self.console.deploy(self.console.targets())

    def action_deploy_plan(self) -> None:
        """Say what a deploy would send."""
        names = self.console.targets()
        operations = self.console.operations
        self.console.engine.run("plan", lambda: operations.deploy(names, dry_run=True))

    def action_deploy_retry(self) -> None:
        """Deploy again to the nodes where it failed."""
        state = self.console.engine.state
        names = [node.name for node in state.nodes.values() if view.has_failed(node)]
        if names:
            self.console.deploy(names)
        else:
            self.notify(self.texts("deploy.none_failed"))

    def action_deploy_launch(self) -> None:
        """Start a run."""
        self.console.launch(self.console.targets())
