"""What all modes have in common: the bars, the prompt, drawing a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widget import Widget

from fleet.state import FleetState
from tui import actions
from tui.acting import Acting
from tui.actions import BY_ID
from tui.i18n import Texts
from tui.view_state import Kept, View
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table
from tui.widgets.top_bar import TopBar


class ModeScreen(Screen[None]):
    """A mode: draws the state it is given, asks the app to act."""

    #: The mode's name; also the scope of its actions.
    mode = ""
    #: The widget that has the focus at first.
    main = ""
    #: The panels that are scrolled while the focus is elsewhere.
    details = "#detail"

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("detail")

    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    ModeScreen { background: $background; }
    ModeScreen.-production { border: heavy $error; border-title-color: $error; border-title-style: bold; }
    ModeScreen.-production { border-title-align: center; }
    ModeScreen .panel { border-left: vkey $panel-lighten-1; padding: 0 1; }
    """

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  an instance variable in Textual's class
        (0, "-narrow"),
        (100, "-wide"),
        (160, "-huge"),
    ]

    @property
    def console(self) -> Acting:
        """The app, with its type."""
        app = self.app
        assert isinstance(app, Acting)
        return app

    @property
    def texts(self) -> Texts:
        """The texts in the chosen language."""
        return self.console.texts

    def __init__(self) -> None:
        super().__init__()
        self._written_in = ""
        self._laid_out = False

    def compose(self) -> ComposeResult:
        """Lay out bars, body and prompt."""
        self._written_in = self.texts.lang
        yield TopBar(self.mode, self.console.operations.project, self.texts)
        yield from self.body()
        yield Prompt()
        yield KeyBar(self.texts)

    def body(self) -> Iterable[Widget]:
        """Return what is between the bars; each mode says what."""
        return ()

    def draw(self, state: FleetState) -> None:
        """Draw ``state`` on what ``body`` has laid out."""

    def charted(self) -> tuple[str, str]:
        """Return the run whose load a chart shows (empty: none, only now) and the node to begin with."""
        run = self.console.engine.state.run
        return (run.id if run is not None and run.active else "", "")

    def remember(self) -> View:
        """Return what the next start shows again: plain values, see :class:`tui.view_state.Kept`."""
        return {}

    def recall(self, kept: Kept) -> None:
        """Show what ``remember`` returned at an earlier time, as far as it still makes sense."""

    def on_mount(self) -> None:
        """Draw for the first time: only now is there something to draw on."""
        self._laid_out = True
        self.recall(Kept(self.console.views.get(self.mode, {})))
        self.focus_main()
        self.redraw()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another mode was shown."""
        self.redraw()

    def on_resize(self) -> None:
        """Draw for the new size once the layout has it."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Draw the newest state."""
        if not self._laid_out:
            return
        app = self.console
        if self._written_in != app.texts.lang:
            self._written_in = app.texts.lang
            self.call_later(self._write_anew)
            return
        # While the app leaves, widgets go one by one and a last tick may still come.
        with suppress(NoMatches):
            self.query_one(TopBar).show(app.engine.state, app.clock(), app.engine.running, app.read_only)
            self.draw(app.engine.state)
            self._frame()
            app.views[self.mode] = self.remember()
            app.shown = self.mode

    def _frame(self) -> None:
        """Say by a frame and a word that these machines are in production, or take that back."""
        production = self.console.operations.production
        if self.has_class("-production") != production or (production and not self.border_title):
            from tui.screens.confirm import production_title

            self.set_class(production, "-production")
            self.border_title = production_title(self.texts) if production else None

    async def _write_anew(self) -> None:
        self._laid_out = False
        held = self.hold()
        self.border_title = None
        await self.recompose()
        self._laid_out = True
        self.recall(Kept(self.console.views.get(self.mode, {})))
        held()
        self.focus_main()
        self.call_after_refresh(self.redraw)

    def hold(self) -> Callable[[], object]:
        """Return what puts back, into widgets made anew, what a person has done in the present ones."""
        before = {table.id: table for table in self.query(Table)}

        def put_back() -> None:
            for table in self.query(Table):
                table.marked, table.cursor = before[table.id].marked, before[table.id].cursor

        return put_back

    def write_new(self, path: Path, text: str) -> str | None:
        """Write a file that must not be there yet; returns what went wrong."""
        path = path.expanduser()
        if path.exists():
            return self.texts("monitor.exists")
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            return str(error)
        self.notify(self.texts("monitor.saved", path=path))
        return None

    def tell_fault(self, fault: str | None) -> None:
        """Say what is wrong with what was typed, where there is no prompt to say it in."""
        if fault:
            self.notify(fault, severity="error", markup=False)

    def ask_to_draw(self, run: str, typed: str) -> None:
        """Let a run's network draw a plan for what is typed already, or for what the person types now."""
        if typed:
            self.tell_fault(self.console.draw_plan(run, typed))
            return
        self.query_one(Prompt).ask(self.texts("draw.ask"), "", lambda text: self.console.draw_plan(run, text))

    def show_item(self, name: str) -> None:
        """Put the cursor of the main table on an item."""
        table = self.query_one(self.main)
        if isinstance(table, Table):
            table.go_to(name)

    @property
    def log_pane(self) -> Widget | None:
        """The log pane that acts where one is meant; None where there is none."""
        return None

    def focus_main(self) -> None:
        """Give the focus to the main widget."""
        self.query_one(self.main).focus()

    def _scroll_details(self, rows: int = 0, pages: int = 0) -> None:
        for panel in self.query(self.details).results(Lines):
            count = rows + pages * max(1, panel.size.height - 1)
            panel.scroll_relative(y=count, animate=False, immediate=True)

    def action_detail_down(self) -> None:
        """Scroll the details down."""
        self._scroll_details(rows=1)

    def action_detail_up(self) -> None:
        """Scroll the details up."""
        self._scroll_details(rows=-1)

    def action_detail_page_down(self) -> None:
        """Scroll the details down by a page."""
        self._scroll_details(pages=1)

    def action_detail_page_up(self) -> None:
        """Scroll the details up by a page."""
        self._scroll_details(pages=-1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what writes when the console is read-only."""
        declared = next((found for found in BY_ID.values() if found.method == action), None)
        return not (declared is not None and declared.writes and self.console.read_only)
