"""What all modes have in common: the bars, the prompt, drawing a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.widget import Widget

from agent.wire.message import message
from agent.wire.reasons import reason_of
from fleet.state import FleetState
from tui.actions.context import ScreenContext
from tui.i18n import Texts
from tui.keys.action import ActionOwner, action
from tui.navigation.mode_view import ModeView
from tui.paths import expanded
from tui.rendering.status import production_title
from tui.state.view_state import SavedValues, View
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.plain import set_titles
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table
from tui.widgets.top_bar import TopBar


class ModeScreen(ActionOwner, ModeView):
    """A mode: draws the state it is given, and leaves it to the fleet actions to act."""

    #: The widget that has the focus at first.
    main = ""
    #: The panels that are scrolled without having the focus.
    details = "#detail"

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
    def texts(self) -> Texts:
        """The texts in the chosen language."""
        return self.session.texts

    def __init__(self, context: ScreenContext) -> None:
        super().__init__()
        self.session = context.session
        self.navigation = context.navigation
        self.dialogs = context.dialogs
        self.fleet_actions = context.fleet_actions
        self._availability = context.availability
        self._written_in = ""
        self._laid_out = False

    def compose(self) -> ComposeResult:
        """Lay out bars, body and prompt."""
        self._written_in = self.texts.lang
        yield TopBar(self.mode, self.session.operations.project, self.texts)
        yield from self.body()
        yield Prompt()
        yield KeyBar(self.texts)

    def body(self) -> Iterable[Widget]:
        """Return the widgets between the bars; each mode has its own."""
        return ()

    def draw(self, state: FleetState) -> None:
        """Draw ``state`` on what ``body`` has laid out."""

    def chart_subject(self) -> tuple[str, str]:
        """Return the run whose load a chart shows (empty: none, only now) and the node to start with."""
        run = self.session.engine.state.run
        return (run.id if run is not None and run.active else "", "")

    def remember(self) -> View:
        """Return what the next start shows again: plain values, read back as ``SavedValues``."""
        return {}

    def recall(self, kept: SavedValues) -> None:
        """Show what ``remember`` returned at an earlier time, as far as it still makes sense."""

    def on_mount(self) -> None:
        """Draw for the first time: only now is there something to draw on."""
        self._laid_out = True
        self.recall(SavedValues(self.session.views.get(self.mode, {})))
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
        session = self.session
        if self._written_in != session.texts.lang:
            self._written_in = session.texts.lang
            self.call_later(self._rewrite)
            return
        # While the app quits, widgets are removed one by one, and a last tick may still arrive.
        with suppress(NoMatches):
            engine = session.engine
            self.query_one(TopBar).show(engine.state, session.clock(), engine.running, session.read_only)
            self.draw(engine.state)
            self._frame()
            session.views[self.mode] = self.remember()
            session.shown_mode = self.mode

    def _frame(self) -> None:
        """Show by a frame and a word that these machines are in production, or remove both."""
        production = self.session.operations.production
        if self.has_class("-production") != production or (production and not self.border_title):
            self.set_class(production, "-production")
            set_titles(self, production_title(self.texts) if production else "")

    async def _rewrite(self) -> None:
        self._laid_out = False
        held = self.hold()
        set_titles(self, "")
        await self.recompose()
        self._laid_out = True
        self.recall(SavedValues(self.session.views.get(self.mode, {})))
        held()
        self.focus_main()
        self.call_after_refresh(self.redraw)

    def hold(self) -> Callable[[], object]:
        """Return what puts back, into new widgets, what the user has done in the present ones."""
        before = {table.id: table for table in self.query(Table)}

        def put_back() -> None:
            for table in self.query(Table):
                table.marked, table.cursor = before[table.id].marked, before[table.id].cursor

        return put_back

    def write_new(self, path: Path, text: str) -> str | None:
        """Write a file that must not be there yet; returns what went wrong."""
        path = expanded(path)
        if path.exists():
            return self.texts("monitor.exists")
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            return self.texts.translate(reason_of(error))
        self.notify(self.texts("monitor.saved", path=path))
        return None

    def show_fault(self, fault: str | None) -> None:
        """Show the fault of a typed text, without a prompt to show it in."""
        if fault:
            self.notify(fault, severity="error")

    def ask_to_draw(self, run: str, typed: str) -> None:
        """Let a run's network draw a plan for what is typed already, or for what the user types now."""
        if typed:
            self.show_fault(self.fleet_actions.draw_plan(run, typed))
            return
        self.query_one(Prompt).ask(
            self.texts("draw.ask"), "", lambda text: self.fleet_actions.draw_plan(run, text)
        )

    def show_item(self, name: str) -> None:
        """Put the cursor of the main table on an item."""
        table = self.query_one(self.main)
        if isinstance(table, Table):
            table.go_to(name)

    def focus_main(self) -> None:
        """Give the focus to the main widget."""
        self.query_one(self.main).focus()

    def _scroll_details(self, rows: int = 0, pages: int = 0) -> None:
        for panel in self.query(self.details).results(Lines):
            count = rows + pages * max(1, panel.size.height - 1)
            panel.scroll_relative(y=count, animate=False, immediate=True)

    @action(
        "J",
        "shift+down",
        label=message("action.detail.down", "Down"),
        help=message("action-help.detail.down", "Scroll the details down"),
        palette=False,
    )
    def action_detail_down(self) -> None:
        """Scroll the details down."""
        self._scroll_details(rows=1)

    @action(
        "K",
        "shift+up",
        label=message("action.detail.up", "Up"),
        help=message("action-help.detail.up", "Scroll the details up"),
        palette=False,
    )
    def action_detail_up(self) -> None:
        """Scroll the details up."""
        self._scroll_details(rows=-1)

    @action(
        "ctrl+d",
        label=message("action.detail.page-down", "Page down"),
        help=message("action-help.detail.page-down", "Scroll the details down by a page"),
        palette=False,
    )
    def action_detail_page_down(self) -> None:
        """Scroll the details down by a page."""
        self._scroll_details(pages=1)

    @action(
        "ctrl+u",
        label=message("action.detail.page-up", "Page up"),
        help=message("action-help.detail.page-up", "Scroll the details up by a page"),
        palette=False,
    )
    def action_detail_page_up(self) -> None:
        """Scroll the details up by a page."""
        self._scroll_details(pages=-1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what is not available now."""
        return self._availability.allows(action)
