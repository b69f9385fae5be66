"""Mode 4: the run, live."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from fleet.logbook import PatternError, matcher
from fleet.state import FleetState, RunState
from tui import actions
from tui.screens.log_requests import LogRequests
from tui.view_state import Kept, View
from tui.views import gpu, load
from tui.views import run as view
from tui.widgets.lines import Lines
from tui.widgets.log_lines import Look
from tui.widgets.tiles import CONTEXTS, TILINGS, RankPane, Tiles


class MonitorScreen(LogRequests):
    """Run header, log panes, and beside them training and GPUs."""

    mode = "monitor"
    main = "#tiles"
    details = "#training, #gpus"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("monitor")

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

    _shown_failure = ""
    _ending_height = 0

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
        run, now = state.run, self.console.clock()
        self.set_class(run is None, "-empty")
        if run is None:
            self.query_one("#empty", Lines).show(view.empty(state, self.texts))
            return
        header = self.query_one("#header", Lines)
        meaning = self.console.engine.meaning()
        worst = load.worst_lights(meaning, run, self.texts)
        header.show([view.header(run, self.texts, now, header.room, worst)])
        self._draw_ending(run)
        tiles = self.tiles
        tiles.show(run, self.console.engine.logbook(run.id))
        failure = run.first_failure
        if failure is not None and self._shown_failure != run.id:
            # Once, when it happens: the rank that failed first is what a reader wants to see.
            self._shown_failure = run.id
            tiles.bring(failure.rank)
            tiles.show(run, self.console.engine.logbook(run.id))
            tiles.current = next((pane for pane in tiles.panes if pane.rank == failure.rank), tiles.current)
            self.call_after_refresh(self.focus_main)
        if self.shown_run != run.id:
            self.shown_run = run.id
            self.call_after_refresh(self.focus_main)
        training, gpus = self.query_one("#training", Lines), self.query_one("#gpus", Lines)
        if training.size.width:
            notes = load.summary(meaning, self.texts, training.room)
            named = meaning is not None and meaning.straggler is not None
            width, height = training.room, training.size.height
            training.show(view.training(run, self.texts, width, height, now, notes, explained=named))
            gpus.show(gpu.panel(state, self.texts, gpus.room, now, meaning))

    def _draw_ending(self, run: RunState) -> None:
        lines = view.ending(run, self.texts, max(20, self.size.width - 4))
        ending = self.query_one("#ending", Lines)
        if self._ending_height != len(lines):
            # A height that is set lays the whole screen out anew, so only when it is another one.
            self._ending_height = len(lines)
            self.set_class(bool(lines), "-ended")
            ending.styles.height = len(lines) or None
        ending.show(lines)

    def charted(self) -> tuple[str, str]:
        """Show the run that is shown, also when it is over."""
        run = self.console.engine.state.run
        return (run.id if run is not None else "", "")

    def remember(self) -> View:
        """Return how the panes are laid out and look, and what they are filtered by."""
        tiles = self.tiles
        return {
            "tiling": tiles.count,
            "merged": tiles.merged,
            "folded": tiles.folded,
            "filter": tiles.filter.typed if tiles.filter is not None else "",
            "context": tiles.context,
            "wrap": tiles.look.wrap,
            "times": tiles.look.times,
            "panel": self.has_class("-panel"),
        }

    def recall(self, kept: Kept) -> None:
        """Lay the panes out as they were; which ranks were picked belonged to an earlier run."""
        tiles = self.tiles
        tiles.count = kept.number("tiling", TILINGS, tiles.count)
        tiles.context = kept.number("context", CONTEXTS, 0)
        tiles.folded = kept.flag("folded")
        tiles.merged = kept.flag("merged")
        tiles.look = Look(wrap=kept.flag("wrap"), times=kept.flag("times"))
        self.set_class(kept.flag("panel"), "-panel")
        with suppress(PatternError):
            tiles.filter = matcher(kept.text("filter")) if kept.text("filter") else None

    @property
    def log_pane(self) -> RankPane | None:
        """The pane that the person is in."""
        return self.tiles.current

    def focus_main(self) -> None:
        """Give the focus to the current pane."""
        pane = self.tiles.current
        if pane is not None:
            pane.focus()
        else:
            self.set_focus(None)

    def action_monitor_tiling(self, count: str = "") -> None:
        """Show the next number of panes, or the one named."""
        tiles = self.tiles
        tiles.tile(int(count) if count else TILINGS[(TILINGS.index(tiles.count) + 1) % len(TILINGS)])
        self.redraw()

    def action_monitor_zoom(self) -> None:
        """Show only the current pane, or all again."""
        self.tiles.zoom()
        self.redraw()

    def action_monitor_merged(self) -> None:
        """Show one log of all ranks, by time, or the ranks apart."""
        self.tiles.merge()
        self.redraw()

    def action_monitor_fold(self) -> None:
        """In the merged log show what several ranks say alike once, or each time."""
        self.tiles.fold()
        self.redraw()

    def action_monitor_panel(self) -> None:
        """Show or hide training and GPUs (on a narrow terminal: instead of the logs)."""
        self.toggle_class("-panel")
        self.call_after_refresh(self.redraw)

    def action_monitor_next_pane(self) -> None:
        """Go to the next pane."""
        self.tiles.step(1)

    def action_monitor_previous_pane(self) -> None:
        """Go to the previous pane."""
        self.tiles.step(-1)

    def action_monitor_next_ranks(self) -> None:
        """Show the next ranks in the panes."""
        self.tiles.turn(1)
        self.redraw()

    def action_monitor_previous_ranks(self) -> None:
        """Show the previous ranks in the panes."""
        self.tiles.turn(-1)
        self.redraw()

    def action_monitor_pick(self, ranks: str = "") -> None:
        """Ask for the ranks or nodes to show, unless they are named."""
        tiles = self.tiles

        def picked(text: str) -> str | None:
            fault = tiles.pick(text)
            if fault is None:
                self.redraw()
            return fault

        if ranks:
            self.tell_fault(picked(ranks))
            return
        self.prompt.ask(self.texts("monitor.ask_ranks"), tiles.wanted, picked)

    def action_monitor_draw(self, typed: str = "") -> None:
        """Ask for a text, and let the run's network draw a plan for it."""
        run = self.console.engine.state.run
        if run is not None:
            self.ask_to_draw(run.id, typed)

    def on_descendant_focus(self) -> None:
        """The current pane is the one with the focus."""
        if isinstance(self.focused, RankPane):
            self.tiles.current = self.focused
