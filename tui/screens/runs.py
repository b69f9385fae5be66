"""Mode 5: the runs of this project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.widget import Widget
from textual.worker import get_current_worker

from agent.wire.message import message
from fleet.events import Event
from fleet.state import FleetState, RunState
from tui.actions.context import ScreenContext
from tui.keys.action import action
from tui.operations.interface import RunCard
from tui.rendering.spans import Spans
from tui.rendering.table_columns import columns
from tui.screens.base import ModeScreen
from tui.state.load import meter_of
from tui.state.view_state import SavedValues, View
from tui.views import runs as view
from tui.widgets.lines import Lines
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

if TYPE_CHECKING:
    from fleet.telemetry import LoadSummary


class RunsScreen(ModeScreen):
    """The history, newest first, and the run under the cursor in full; two marked ones side by side."""

    mode = "runs"
    main = "#runs"
    DEFAULT_CSS = """
    RunsScreen #runs { height: auto; max-height: 45%; min-height: 4; margin-top: 1; }
    RunsScreen #detail { height: 1fr; padding: 0 2; background: $surface; }
    RunsScreen #detail { border-top: solid $panel-lighten-1; }
    """

    def __init__(self, context: ScreenContext) -> None:
        super().__init__(context)
        self._read: dict[str, RunState] = {}
        self._settings: dict[str, Mapping[str, str]] = {}
        self._summaries: dict[str, LoadSummary] = {}
        self._compare = False

    def body(self) -> Iterable[Widget]:
        """Table and details."""
        yield Table(columns(view.COLUMNS, self.texts), id="runs", marks=True)
        yield Lines(id="detail")

    def chart_subject(self) -> tuple[str, str]:
        """Show the run under the cursor."""
        return self.query_one("#runs", Table).cursor, ""

    def remember(self) -> View:
        """Return the run under the cursor."""
        return {"run": self.query_one("#runs", Table).cursor}

    def recall(self, kept: SavedValues) -> None:
        """Put the cursor on the run that it was on, if that run still exists."""
        self.call_after_refresh(self.show_item, kept.text("run"))

    def on_screen_resume(self) -> None:
        """Read the list of runs again."""
        self.session.read_history()
        self.redraw()

    def draw(self, state: FleetState) -> None:
        """Draw table and details."""
        table, detail = self.query_one("#runs", Table), self.query_one("#detail", Lines)
        table.show(view.rows(self.session.history, self.texts, self.session.clock()))
        if not self.session.history:
            detail.show([[], [(self.texts("runs.none"), "muted")]])
            return
        width = max(30, detail.room)
        pair = [card.run for card in self.session.history if card.run in table.marked]
        if self._compare and len(pair) == 2:
            left, right = (self._details(name, (width - 3) // 2) for name in pair)
            one, other = (self._settings.get(name, {}) for name in pair)
            differ = view.differences(one, other, self.texts, width)
            detail.show([*differ, *view.compared(left, right, width)], " ".join(pair))
        else:
            self._compare = False
            detail.show(self._details(table.cursor, width), table.cursor)

    def _details(self, name: str, width: int) -> Sequence[Spans]:
        live = self.session.engine.state.runs.get(name)
        run = live if live is not None else self._read.get(name)
        if run is None or name not in self._settings:
            self._load(name, whole=run is None)
        if run is None:
            return [[(self.texts("runs.loading"), "muted")]]
        return view.details(run, self.texts, width, self._load_summary(name))

    def _load_summary(self, name: str) -> LoadSummary | None:
        """Return the summary of the run's load, of its recording or of the events so far."""
        if name in self._summaries:
            return self._summaries[name]
        engine = self.session.engine
        return engine.load_summary() if engine.state.current == name else None

    def _load(self, name: str, *, whole: bool) -> None:
        """Read a run's settings, and the ``whole`` recording, on a thread: it may be long."""
        operations, app = self.session.operations, self.app

        def read() -> None:
            worker = get_current_worker()
            settings = operations.settings(name)
            events = operations.recorded(name) if whole else ()
            run = reduced(events)
            if run is not None:
                self._summaries[name] = meter_of(operations).add_all(events).summary(name)
            if not worker.is_cancelled:
                app.call_from_thread(self._have, name, run, settings)

        self.run_worker(read, thread=True, group="recording", exclusive=True, exit_on_error=False)

    def _have(self, name: str, run: RunState | None, settings: Mapping[str, str]) -> None:
        self._settings[name] = settings
        if run is not None:
            self._read[name] = run
            self.redraw()
        elif self._compare:
            self.redraw()

    def _run_read(self) -> RunState | None:
        """Return the run under the cursor; notifies the user while its recording is being read."""
        card = self._current()
        if card is None:
            return None
        run = self._read.get(card.run) or self.session.engine.state.runs.get(card.run)
        if run is None:
            self.notify(self.texts("runs.loading"))
        return run

    def on_table_moved(self) -> None:
        """Show the other run."""
        self.redraw()

    def _current(self) -> RunCard | None:
        cursor = self.query_one("#runs", Table).cursor
        return next((card for card in self.session.history if card.run == cursor), None)

    def on_table_opened(self) -> None:
        """Show the run in the monitor."""
        self.action_runs_replay()

    @action(
        "c",
        label=message("action.runs.compare", "Compare"),
        help=message("action-help.runs.compare", "Compare the two marked runs"),
        bar=11,
    )
    def action_runs_compare(self) -> None:
        """Show the two marked runs side by side, or one again."""
        if len(self.query_one("#runs", Table).marked) != 2:
            self.notify(self.texts("runs.mark_two"))
            return
        self._compare = not self._compare
        self.redraw()

    @action(
        "p",
        label=message("action.runs.replay", "Replay"),
        help=message("action-help.runs.replay", "Replay the run's events in the monitor"),
        bar=12,
    )
    def action_runs_replay(self) -> None:
        """Show the recorded events in the monitor."""
        card = self._current()
        if card is not None:
            self.fleet_actions.replay(card.run)

    @action(
        "w",
        label=message("action.runs.attach", "Watch"),
        help=message("action-help.runs.attach", "Watch a run that is still running"),
        bar=13,
    )
    def action_runs_attach(self) -> None:
        """Follow a run that still runs."""
        card = self._current()
        if card is None or card.outcome:
            self.notify(self.texts("runs.over"))
            return
        self.fleet_actions.attach(card.run)

    @action(
        "R",
        label=message("action.runs.restart", "Restart"),
        help=message("action-help.runs.restart", "Restart from the last checkpoint (asks)"),
        bar=15,
        writes=True,
    )
    def action_runs_restart(self) -> None:
        """Start again on the run's nodes, from its last checkpoint."""
        run = self._run_read()
        if run is None:
            return
        nodes = list(dict.fromkeys(rank.node for rank in run.ranks.values()))
        gone = set(nodes) - {card.name for card in self.session.cards}
        if run.active:
            self.notify(self.texts("runs.restart.active"), severity="warning")
        elif gone:
            names = ", ".join(sorted(gone))
            self.notify(self.texts("runs.restart.gone", names=names), severity="error")
        else:
            asked, step, resume = view.restart(run, self.session.operations.resumes)
            question = self.texts(asked, count=len(nodes), run=run.id, step=step)
            self.fleet_actions.launch(nodes, question, resume=resume)

    @action(
        "d",
        label=message("action.runs.draw", "Draw a plan"),
        help=message("action-help.runs.draw", "Draw a plan for a text with the run's model"),
        writes=True,
        takes="text",
    )
    def action_runs_draw(self, typed: str = "") -> None:
        """Ask for a text, and let the run's network draw a plan for it."""
        card = self._current()
        if card is not None:
            self.ask_to_draw(card.run, typed)

    @action(
        "o",
        label=message("action.runs.export", "Report"),
        help=message("action-help.runs.export", "Save a report of the run as Markdown"),
        bar=14,
    )
    def action_runs_export(self) -> None:
        """Ask for a file and write a report of the run to it."""
        run = self._run_read()
        if run is None:
            return
        text = view.report(run, self.texts, self._settings.get(run.id), self._load_summary(run.id))

        def save(name: str) -> str | None:
            return self.write_new(Path(name), text)

        self.query_one(Prompt).ask(self.texts("runs.ask_export"), f"{run.id}.md", save)


def reduced(events: Iterable[Event]) -> RunState | None:
    """Return the run that the events describe."""
    return FleetState().after_all(events).run
