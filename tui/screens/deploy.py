"""Mode 3: put the project on the nodes."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from agent.wire.message import message
from fleet.state import FleetState
from tui.keys.action import action
from tui.rendering.table_columns import columns
from tui.screens.base import ModeScreen
from tui.views import deploy as view
from tui.views.empty import empty_fleet
from tui.widgets.lines import Lines
from tui.widgets.table import Table


class DeployScreen(ModeScreen):
    """A bar for the whole fleet, a row per node, and the details of the node under the cursor."""

    mode = "deploy"
    main = "#deploy"
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
        yield Table(columns(view.COLUMNS, self.texts), id="deploy")
        yield Lines(id="detail", focusable=True)

    def draw(self, state: FleetState) -> None:
        """Draw bar, table and details."""
        summary, detail = self.query_one("#summary", Lines), self.query_one("#detail", Lines)
        table = self.query_one("#deploy", Table)
        self.set_class(not self.session.cards, "-empty")
        table.show(view.rows(self.session.cards, state, self.texts))
        summary.show(view.summary(state, self.texts, max(20, summary.room)))
        if not self.session.cards:
            detail.show(empty_fleet(self.texts, elsewhere=True))
            return
        node = state.node(table.cursor)
        detail.show(view.details(node, self.texts, max(20, detail.room)), node.name)

    def on_table_moved(self) -> None:
        """Show the other node's details."""
        self.redraw()

    def on_table_opened(self) -> None:
        """Let the details be scrolled."""
        self.query_one("#detail").focus()

    @action(
        "d",
        label=message("action.deploy.start", "Deploy"),
        help=message("action-help.deploy.start", "Deploy to the marked nodes, or all"),
        bar=10,
        writes=True,
    )
    def action_deploy_start(self) -> None:
        """Deploy to the marked nodes, or all."""
        self.fleet_actions.deploy(self.session.targets())

    @action(
        "p",
        label=message("action.deploy.plan", "Dry run"),
        help=message(
            "action-help.deploy.plan",
            "Show what a deploy would change and what would start, without doing it",
        ),
        bar=11,
    )
    def action_deploy_plan(self) -> None:
        """Show what a deploy would send."""
        self.fleet_actions.plan_deploy(self.session.targets())

    @action(
        "r",
        label=message("action.deploy.retry", "Retry"),
        help=message("action-help.deploy.retry", "Deploy again to the nodes where it failed"),
        bar=12,
        writes=True,
    )
    def action_deploy_retry(self) -> None:
        """Deploy again to the nodes where it failed."""
        state = self.session.engine.state
        names = [node.name for node in state.nodes.values() if view.has_failed(node)]
        if names:
            self.fleet_actions.deploy(names)
        else:
            self.notify(self.texts("deploy.none_failed"))

    @action(
        "l",
        label=message("action.deploy.launch", "Launch"),
        help=message("action-help.deploy.launch", "Start a run with the deployed files (asks)"),
        bar=13,
        writes=True,
    )
    def action_deploy_launch(self) -> None:
        """Start a run."""
        self.fleet_actions.launch(self.session.targets())
