"""Mode 4: the run, live."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from agent.wire.message import message
from fleet.logbook import PatternError, matcher
from fleet.state import FleetState, RunState
from tui.actions.context import ScreenContext
from tui.keys.action import action
from tui.screens.base import ModeScreen
from tui.screens.log_requests import LogRequests
from tui.state.view_state import SavedValues, View
from tui.views import gpu, load
from tui.views import run as view
from tui.widgets.lines import Lines
from tui.widgets.log_lines import LineOptions
from tui.widgets.log_pane import LogPane
from tui.widgets.prompt import Prompt
from tui.widgets.tiles import CONTEXTS, TILINGS, RankPane, Tiles


class MonitorScreen(ModeScreen):
    """Run header, log panes, and next to them training and GPUs."""

    mode = "monitor"
    main = "#tiles"
    details = "#training, #gpus"
    DEFAULT_CSS = """
    MonitorScreen #header { height: 1; padding: 0 1; background: $surface; }
    MonitorScreen #ending { height: auto; max-height: 6; padding: 0 1; background: $surface; display: none; }
    MonitorScreen.-ended #ending { display: block; }
    MonitorScreen #empty { display: none; padding: 1 3; height: 1fr; }
    MonitorScreen.-empty #empty { display: block; }
    MonitorScreen.-empty #live, MonitorScreen.-empty #header { display: none; }
    MonitorScreen #side { width: 50; height: 1fr; background: $surface; }
    MonitorScreen.-huge #side { width: 74; }
    MonitorScreen #training { height: 3fr; padding: 0 1; border-left: vkey $panel-lighten-1; }
    MonitorScreen #gpus { height: 2fr; padding: 0 1; border-left: vkey $panel-lighten-1; }
    MonitorScreen #gpus { border-top: solid $panel-lighten-1; }
    MonitorScreen.-narrow #side { display: none; }
    MonitorScreen.-narrow.-panel #side { display: block; width: 1fr; }
    MonitorScreen.-narrow.-panel #tiles { display: none; }
    MonitorScreen.-wide.-panel #side, MonitorScreen.-huge.-panel #side { display: none; }
    """

    def __init__(self, context: ScreenContext) -> None:
        super().__init__(context)
        self._requests = LogRequests(self)
        self._shown_run = ""
        self._shown_failure = ""
        self._ending_height = 0

    @property
    def tiles(self) -> Tiles:
        """The log panes."""
        return self.query_one(Tiles)

    def on_log_pane_requested(self, event: LogPane.Requested) -> None:
        """Answer a pane."""
        if not isinstance(event, LogPane.NotFound):
            self._requests.answer(event, self._shown_run)

    def on_log_pane_not_found(self, event: LogPane.NotFound) -> None:
        """Search the other panes for an error."""
        self._requests.seek_elsewhere(event)

    def body(self) -> Iterable[Widget]:
        """Header, cause of the end, panes and panels."""
        yield Lines(id="header")
        yield Lines(id="ending")
        yield Lines(id="empty")
        with Horizontal(id="live"):
            yield Tiles(self.texts)
            with Vertical(id="side"):
                yield Lines(id="training")
                yield Lines(id="gpus")

    def draw(self, state: FleetState) -> None:
        """Draw everything that is in view."""
        run, now = state.run, self.session.clock()
        self.set_class(run is None, "-empty")
        if run is None:
            self.query_one("#empty", Lines).show(view.empty(state, self.texts))
            return
        header = self.query_one("#header", Lines)
        summary = self.session.engine.load_summary()
        worst = load.worst_indicators(summary, run, self.texts)
        header.show([view.header(run, self.texts, now, header.room, worst)])
        self._draw_ending(run)
        tiles = self.tiles
        tiles.show(run, self.session.engine.logbook(run.id))
        failure = run.first_failure
        if failure is not None and self._shown_failure != run.id:
            # Once, when it happens: the user needs the rank that failed first.
            self._shown_failure = run.id
            tiles.bring(failure.rank)
            tiles.show(run, self.session.engine.logbook(run.id))
            tiles.current = next((pane for pane in tiles.panes if pane.rank == failure.rank), tiles.current)
            self.call_after_refresh(self.focus_main)
        if self._shown_run != run.id:
            self._shown_run = run.id
            self.call_after_refresh(self.focus_main)
        training, gpus = self.query_one("#training", Lines), self.query_one("#gpus", Lines)
        if training.size.width:
            notes = load.summary(summary, self.texts, training.room)
            named = summary is not None and summary.straggler is not None
            width, height = training.room, training.size.height
            training.show(view.training(run, self.texts, width, height, now, notes, explained=named))
            gpus.show(gpu.panel(state, self.texts, gpus.room, now, summary))

    def _draw_ending(self, run: RunState) -> None:
        lines = view.ending(run, self.texts, max(20, self.size.width - 4))
        ending = self.query_one("#ending", Lines)
        if self._ending_height != len(lines):
            # Setting a height lays the whole screen out again, so it is set only when it differs.
            self._ending_height = len(lines)
            self.set_class(bool(lines), "-ended")
            ending.styles.height = len(lines) or None
        ending.show(lines)

    def chart_subject(self) -> tuple[str, str]:
        """Show the run that is shown, also when it is over."""
        run = self.session.engine.state.run
        return (run.id if run is not None else "", "")

    def remember(self) -> View:
        """Return the layout, options and filter of the panes."""
        tiles = self.tiles
        return {
            "tiling": tiles.count,
            "merged": tiles.merged,
            "folded": tiles.folded,
            "filter": tiles.filter.typed if tiles.filter is not None else "",
            "context": tiles.context,
            "wrap": tiles.options.wrap,
            "times": tiles.options.times,
            "panel": self.has_class("-panel"),
        }

    def recall(self, kept: SavedValues) -> None:
        """Lay the panes out as they were; which ranks were picked belonged to an earlier run."""
        tiles = self.tiles
        tiles.count = kept.number("tiling", TILINGS, tiles.count)
        tiles.context = kept.number("context", CONTEXTS, 0)
        tiles.folded = kept.flag("folded")
        tiles.merged = kept.flag("merged")
        tiles.options = LineOptions(wrap=kept.flag("wrap"), times=kept.flag("times"))
        self.set_class(kept.flag("panel"), "-panel")
        with suppress(PatternError):
            tiles.filter = matcher(kept.text("filter")) if kept.text("filter") else None

    @property
    def log_pane(self) -> RankPane | None:
        """The pane that the user is in."""
        return self.tiles.current

    def focus_main(self) -> None:
        """Give the focus to the current pane."""
        pane = self.tiles.current
        if pane is not None:
            pane.focus()
        else:
            self.set_focus(None)

    @action(
        "t",
        label=message("action.monitor.tiling", "Tiling"),
        help=message("action-help.monitor.tiling", "Show 1, 2, 4, 6 or 9 panes"),
        bar=12,
        takes="tiling",
    )
    def action_monitor_tiling(self, count: str = "") -> None:
        """Show the next number of panes, or the one named."""
        tiles = self.tiles
        tiles.tile(int(count) if count else TILINGS[(TILINGS.index(tiles.count) + 1) % len(TILINGS)])
        self.redraw()

    @action(
        "z",
        label=message("action.monitor.zoom", "Zoom"),
        help=message("action-help.monitor.zoom", "Show only the current pane, or all again"),
        bar=13,
    )
    def action_monitor_zoom(self) -> None:
        """Show only the current pane, or all again."""
        self.tiles.zoom()
        self.redraw()

    @action(
        "m",
        label=message("action.monitor.merged", "Merge"),
        help=message("action-help.monitor.merged", "Show one log of all ranks by time, or one log per rank"),
        bar=14,
    )
    def action_monitor_merged(self) -> None:
        """Show one log of all ranks, by time, or the ranks apart."""
        self.tiles.merge()
        self.redraw()

    @action(
        "o",
        label=message("action.monitor.fold", "Fold"),
        help=message(
            "action-help.monitor.fold", "Show a line that several ranks print only once in the merged log"
        ),
    )
    def action_monitor_fold(self) -> None:
        """In the merged log, show a line that several ranks print once, or each time."""
        self.tiles.fold()
        self.redraw()

    @action(
        "v",
        label=message("action.monitor.panel", "Panels"),
        help=message("action-help.monitor.panel", "Show or hide training and GPUs"),
        bar=20,
    )
    def action_monitor_panel(self) -> None:
        """Show or hide training and GPUs (on a narrow terminal: instead of the logs)."""
        self.toggle_class("-panel")
        self.call_after_refresh(self.redraw)

    @action(
        "tab",
        label=message("action.monitor.next-pane", "Next pane"),
        help=message("action-help.monitor.next-pane", "Go to the next pane"),
        palette=False,
    )
    def action_monitor_next_pane(self) -> None:
        """Go to the next pane."""
        self.tiles.step(1)

    @action(
        "shift+tab",
        label=message("action.monitor.previous-pane", "Previous pane"),
        help=message("action-help.monitor.previous-pane", "Go to the previous pane"),
        palette=False,
    )
    def action_monitor_previous_pane(self) -> None:
        """Go to the previous pane."""
        self.tiles.step(-1)

    @action(
        "p",
        label=message("action.monitor.pick", "Pick ranks"),
        help=message("action-help.monitor.pick", "Choose ranks or nodes to show"),
        takes="text",
    )
    def action_monitor_pick(self, ranks: str = "") -> None:
        """Ask for the ranks or nodes to show, unless they are named."""
        tiles = self.tiles

        def picked(text: str) -> str | None:
            fault = tiles.pick(text)
            if fault is None:
                self.redraw()
            return fault

        if ranks:
            self.show_fault(picked(ranks))
            return
        self.query_one(Prompt).ask(self.texts("monitor.ask_ranks"), tiles.wanted, picked)

    @action(
        "d",
        label=message("action.monitor.draw", "Draw a plan"),
        help=message("action-help.monitor.draw", "Draw a plan for a text with the run's model"),
        writes=True,
        takes="text",
    )
    def action_monitor_draw(self, typed: str = "") -> None:
        """Ask for a text, and let the run's network draw a plan for it."""
        run = self.session.engine.state.run
        if run is not None:
            self.ask_to_draw(run.id, typed)

    @action(
        "b",
        label=message("action.monitor.stacks", "Stacks"),
        help=message(
            "action-help.monitor.stacks", "Show the source line of each rank: the Python stacks of all ranks"
        ),
    )
    def action_monitor_stacks(self) -> None:
        """Show the stacks of all ranks of the run."""
        run = self.session.engine.state.run
        if run is None:
            self.notify(self.texts("run.none_active"))
        else:
            from tui.screens.stacks import StacksScreen

            actions, name = self.fleet_actions, run.id
            screen = StacksScreen(self.session, name, lambda: actions.read_stacks(name))
            self.app.push_screen(screen)
            actions.after_changes(screen.follow)

    @action(
        "right_square_bracket",
        label=message("action.monitor.next-ranks", "Next ranks"),
        help=message("action-help.monitor.next-ranks", "Show the next ranks in the panes"),
    )
    def action_monitor_next_ranks(self) -> None:
        """Show the next ranks in the panes."""
        self.tiles.turn(1)
        self.redraw()

    @action(
        "left_square_bracket",
        label=message("action.monitor.previous-ranks", "Previous ranks"),
        help=message("action-help.monitor.previous-ranks", "Show the previous ranks in the panes"),
    )
    def action_monitor_previous_ranks(self) -> None:
        """Show the previous ranks in the panes."""
        self.tiles.turn(-1)
        self.redraw()

    def on_descendant_focus(self) -> None:
        """The current pane is the one with the focus."""
        if isinstance(self.focused, RankPane):
            self.tiles.current = self.focused
