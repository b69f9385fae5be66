"""What the app does on a key, whatever the mode: go somewhere, look at something, leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.acting import Acting
from tui.actions import BY_ID
from tui.theme import THEMES

if TYPE_CHECKING:
    from tui.screens.base import ModeScreen


class Chores(Acting, inherit_bindings=False):
    """The app as its commands know it, with its modes and what lies over them."""

    keymap: Mapping[str, str]

    @property
    def mode_screen(self) -> ModeScreen:
        """The screen of the current mode, below whatever lies over it."""
        from tui.screens.base import ModeScreen

        screen = self.screen_stack[0]
        assert isinstance(screen, ModeScreen)
        return screen

    def action_app_nodes(self) -> None:
        """Go to the nodes."""
        self.switch_mode("nodes")

    def action_app_preflight(self) -> None:
        """Go to the preflight."""
        self.switch_mode("preflight")

    def action_app_deploy(self) -> None:
        """Go to the deploy."""
        self.switch_mode("deploy")

    def action_app_monitor(self) -> None:
        """Go to the run."""
        self.switch_mode("monitor")

    def action_app_runs(self) -> None:
        """Go to the history of runs."""
        self.switch_mode("runs")

    def action_app_config(self) -> None:
        """Go to the configuration."""
        self.switch_mode("config")

    def action_app_chart(self) -> None:
        """Show the load over time: of the run that the mode is about, else of now."""
        from tui.charted import Charted
        from tui.screens.chart import ChartScreen

        run, node = self.mode_screen.charted()
        state = self.engine.state
        known = state.runs.get(run)
        live = not run or (known is not None and known.active)
        names = dict.fromkeys(self.operations.sampled(run) if run else ())
        names |= dict.fromkeys(name for name in state.nodes if live and state.nodes[name].sampled is not None)
        node = node if node in names else ""
        self.push_screen(ChartScreen(self, Charted(run, live, node), list(names)))

    def action_app_notices(self) -> None:
        """Show what has been told so far."""
        from tui.screens.notices import NoticesScreen

        self.push_screen(NoticesScreen(self.engine.state.notices, self.texts))

    def action_app_help(self) -> None:
        """Show every key that works here."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.mode_screen.mode, self.texts, self.keys_in_use()))

    def keys_in_use(self) -> dict[str, str]:
        """Return the keys of actions that the person's keymap has changed."""
        return {name: keys for name, keys in self.keymap.items() if name in BY_ID}

    def action_app_palette(self) -> None:
        """Look for anything by name."""
        self.action_command_palette()

    def action_app_node(self, name: str) -> None:
        """Go to a node in the list of nodes."""
        self.go_to("nodes", name)

    def action_app_run(self, run: str) -> None:
        """Show a run in the monitor: live when it goes on, else as it was recorded."""
        card = next((card for card in self.history if card.run == run), None)
        if card is not None and not card.outcome and run not in self.engine.state.runs:
            self.attach(run)
        else:
            self.replay(run)

    def go_to(self, mode: str, item: str) -> None:
        """Go to a mode and put its cursor on an item."""
        self.switch_mode(mode)
        self.call_after_refresh(lambda: self.mode_screen.show_item(item))

    def action_app_theme(self, name: str = "") -> None:
        """Use the next of the console's themes, or the one named."""
        if name:
            self.theme = name
            return
        names = [theme.name for theme in THEMES]
        position = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(position + 1) % len(names)]
        self.notify(self.theme, timeout=2)

    async def action_app_quit(self) -> None:
        """Leave; a run goes on, and this says so."""
        run = self.engine.state.run
        busy = sorted(self.engine.running & {"up", "deploy", "launch", "mend"})
        if run is not None and run.active and any(rank.pid for rank in run.ranks.values()):
            nodes = sorted({rank.node for rank in run.ranks.values()})
            self.confirm(
                self.texts("confirm.quit_run", run=run.id), nodes, self.exit, default=True, writes=False
            )
        elif busy:
            self.confirm(self.texts("confirm.quit_busy", what=", ".join(busy)), [], self.exit)
        else:
            self.exit()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what writes when the console is read-only, and what makes no sense now."""
        run = self.engine.state.run
        if action == "app_up" and not self.engine.state.nodes:
            return False
        if action in ("app_stop", "app_up") and (run is not None and run.active) == (action == "app_up"):
            return False
        declared = next((found for found in BY_ID.values() if found.method == action), None)
        return not (declared is not None and declared.writes and self.read_only)
