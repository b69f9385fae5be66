"""The console: Textual's app, and the parts that it is composed of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import App
from textual.command import Provider
from textual.notifications import SeverityLevel

from agent.wire.message import message
from fleet.terminal import block, one_line
from tui.actions.availability import Availability
from tui.actions.context import ScreenContext
from tui.actions.fleet_actions import FleetActions
from tui.dialogs.dialogs import Dialogs
from tui.dialogs.password_offer import PasswordOffer
from tui.dialogs.questions import Questions
from tui.dialogs.toasts import Toasts
from tui.i18n import LANGUAGES, Texts
from tui.internal_errors import EXIT_STATUS, InternalErrors
from tui.keys.action import MODES, ActionOwner, action
from tui.keys.registry import find
from tui.navigation.key_queue import KeyQueue
from tui.navigation.navigation import Navigation
from tui.navigation.refresh import Refresh
from tui.operations.interface import Operations
from tui.operations.operation import Operation
from tui.screens.base import ModeScreen
from tui.state.engine import Engine
from tui.state.session import Session
from tui.state.view_state import View
from tui.theme import DEFAULT, THEMES
from tui.widgets.plain import TOAST, ControlFilter

if TYPE_CHECKING:
    from tui.navigation.command_line import CommandLine

#: Seconds that the first frame gets before other work starts.
FIRST_FRAME = 0.02


def _palette() -> type[Provider]:
    """Return what the palette offers; it is imported when it is first opened."""
    from tui.navigation.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(ActionOwner, App[None], inherit_bindings=False):
    """Draws the state of the engine. Its actions are delegations: each part has its own module."""

    TITLE = "dtui"
    COMMANDS: ClassVar = {_palette}
    COMMAND_PALETTE_BINDING: ClassVar = "f12"

    def __init__(
        self,
        operations: Operations,
        *,
        lang: str = "en",
        read_only: bool = False,
        theme: str | None = None,
        keymap: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        engine: Engine | None = None,
        questions: Questions | None = None,
        first: str = "nodes",
        views: Mapping[str, View] | None = None,
        begun: Callable[[], object] | None = None,
        errors: InternalErrors | None = None,
    ) -> None:
        # Read by the constructor: the app starts in this mode, without an empty screen before it.
        self.DEFAULT_MODE = first  # type: ignore[misc]
        super().__init__()
        self._filters.append(ControlFilter())
        self._errors = errors or InternalErrors(Path())
        self.session = Session(
            operations,
            engine or Engine(operations, clock=clock, errors=self._errors),
            texts=Texts(lang),
            clock=clock,
            read_only=read_only,
            views=views or {},
            mode=first,
        )
        self.questions = questions or Questions()
        self.navigation = Navigation(self)
        self.dialogs = Dialogs(self, self.session)
        self.fleet_actions = FleetActions(
            self,
            self.session,
            navigation=self.navigation,
            dialogs=self.dialogs,
            questions=self.questions,
        )
        self.availability = Availability(self.session)
        self._keys = KeyQueue(self, super().on_event)
        self._toasts = Toasts(self, self.session)
        self._password_offer = PasswordOffer(self, self.session, self.dialogs, self.questions)
        self._keys_in_use = {name: keys for name, keys in (keymap or {}).items() if find(name) is not None}
        self._current: tuple[str, str] | None = None
        self._refresh = Refresh(self, self.session, self._draw_fleet)
        #: Called once the first frame is drawn.
        self._begun = begun
        for own in THEMES:
            self.register_theme(own)
        # Not by changing into it: for that Textual reads all style sheets once more.
        self.set_reactive(App.theme, DEFAULT)
        self.stylesheet.set_variables(self.get_css_variables())
        if theme in self.available_themes:
            self.theme = theme

    @property
    def engine(self) -> Engine:
        """The engine that runs operations."""
        return self.session.engine

    @property
    def operations(self) -> Operations:
        """The console's operations on the fleet."""
        return self.session.operations

    @property
    def mode_screen(self) -> ModeScreen:
        """The screen of the current mode, below any dialogs."""
        screen = self.navigation.screen
        assert isinstance(screen, ModeScreen)
        return screen

    @cached_property
    def command_line(self) -> CommandLine:
        """What carries out typed commands; it is imported when it is first needed."""
        from tui.navigation.command_line import CommandLine

        return CommandLine(self, self.session, self.navigation)

    def get_default_screen(self) -> ModeScreen:
        """Return the screen that the app starts with: the one shown last."""
        return self._screen_of(self.session.shown_mode)

    def _screen_of(self, mode: str) -> ModeScreen:
        """Make a mode's screen; each is imported when it is first shown."""
        kind: type[ModeScreen] = getattr(import_module(f"tui.screens.{mode}"), f"{mode.capitalize()}Screen")
        return kind(
            ScreenContext(self.session, self.navigation, self.dialogs, self.fleet_actions, self.availability)
        )

    def on_mount(self) -> None:
        """Start drawing; the first mode's screen exists."""
        # Not earlier: for a mode registered at the start, Textual reads all style sheets twice more.
        for mode in MODES:
            self.add_mode(mode, lambda mode=mode: self._screen_of(mode))  # type: ignore[misc]
        self.set_keymap(self._keys_in_use)
        self._toasts.skip()
        self.engine.subscribe(self._refresh.changed)

    def on_ready(self) -> None:
        """Do the work for which the first frame, which is laid out now, need not wait."""
        self.set_timer(FIRST_FRAME, self._begin)

    def _begin(self) -> None:
        """Start watching the nodes, and an active run."""
        if not (self.screen_stack and self.is_running):
            return  # the user has quit already
        if self._begun is not None:
            self._begun()
        # Before the engine's thread starts: the two need not import the same packages at the same time.
        self._read_history()
        self.engine.start()
        self.fleet_actions.attach_to_newest()
        self.questions.subscribe(self._refresh.question)
        self._ask_next()
        self._refresh.tick()
        # It waits while a dialog is open.
        self.screen_change_signal.subscribe(self, lambda _: self._offer_password())

    def on_unmount(self) -> None:
        """Disconnect the nodes; runs keep running."""
        self.engine.stop()

    async def on_event(self, event: events.Event) -> None:
        """Let a key or a paste wait for the one before it."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._keys.put(event)
        else:
            await super().on_event(event)

    def on_fleet_changed(self) -> None:
        """Draw what has changed, as soon as that is due."""
        self._refresh.schedule()

    def on_question_waiting(self) -> None:
        """Show the next question."""
        self._ask_next()

    def _draw_fleet(self) -> None:
        run = self.engine.state.run
        current = (run.id, run.outcome) if run is not None else None
        if current != self._current:
            self._current = current
            self._read_history()
        self.navigation.redraw()
        self._toasts.show_new()
        self.fleet_actions.state_changed()
        self._offer_password()

    def _ask_next(self) -> None:
        question = self.questions.next() if self.screen_stack else None
        if question is not None:
            self.dialogs.ask(question)

    def _offer_password(self) -> None:
        if len(self.screen_stack) == 1:
            self._password_offer.make()

    def _read_history(self) -> None:
        self.session.read_history()
        self.navigation.redraw()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a toast; its text is literal, square brackets included."""
        super().notify(
            block(message, TOAST), title=one_line(title), severity=severity, timeout=timeout, markup=False
        )

    def _handle_exception(self, error: Exception) -> None:
        """End the console with one sentence; Textual would print the traceback with all local variables."""
        self._return_code = EXIT_STATUS
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        sentence = self.session.texts.translate(self._errors.report(error, "the console"))
        self._exit_renderables.append(Text(block(f"dtui: {sentence}")))
        self._close_messages_no_wait()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what is not available now."""
        return self.availability.allows(action)

    # Textual carries out an action by a method of the app, so each has one here.

    @action(
        "1",
        label=message("action.app.nodes", "Nodes"),
        help=message("action-help.app.nodes", "Go to mode 1: the nodes"),
    )
    def action_app_nodes(self) -> None:
        """Go to the nodes."""
        self.navigation.show_mode("nodes")

    @action(
        "2",
        label=message("action.app.preflight", "Preflight"),
        help=message("action-help.app.preflight", "Go to mode 2: check that a run can start"),
    )
    def action_app_preflight(self) -> None:
        """Go to the preflight."""
        self.navigation.show_mode("preflight")

    @action(
        "3",
        label=message("action.app.deploy", "Deploy"),
        help=message("action-help.app.deploy", "Go to mode 3: deploy the project to the nodes"),
    )
    def action_app_deploy(self) -> None:
        """Go to the deploy."""
        self.navigation.show_mode("deploy")

    @action(
        "4",
        label=message("action.app.monitor", "Monitor"),
        help=message("action-help.app.monitor", "Go to mode 4: logs, training and GPUs of the run"),
    )
    def action_app_monitor(self) -> None:
        """Go to the run."""
        self.navigation.show_mode("monitor")

    @action(
        "5",
        label=message("action.app.runs", "Runs"),
        help=message("action-help.app.runs", "Go to mode 5: the history of runs"),
    )
    def action_app_runs(self) -> None:
        """Go to the history of runs."""
        self.navigation.show_mode("runs")

    @action(
        "6",
        label=message("action.app.config", "Config"),
        help=message("action-help.app.config", "Go to mode 6: nodes.yaml and the training configuration"),
    )
    def action_app_config(self) -> None:
        """Go to the configuration."""
        self.navigation.show_mode("config")

    @action(
        "u",
        label=message("action.app.up", "Run all"),
        help=message("action-help.app.up", "Deploy to the marked nodes (or all), start a run and watch it"),
        bar=2,
        writes=True,
        operation=Operation.UP,
    )
    def action_app_up(self) -> None:
        """Deploy to the marked nodes or all, then start a run and watch it."""
        self.fleet_actions.up()

    @action(
        "X",
        label=message("action.app.stop", "Stop run"),
        help=message("action-help.app.stop", "Stop the run on all its nodes (asks)"),
        bar=70,
        writes=True,
        operation=Operation.STOP,
    )
    def action_app_stop(self) -> None:
        """End the run on all its nodes, after asking."""
        self.fleet_actions.stop()

    @action(
        "ctrl+x",
        label=message("action.app.cancel", "Cancel"),
        help=message("action-help.app.cancel", "Cancel the deploy or check in progress (asks)"),
        writes=True,
    )
    def action_app_cancel(self) -> None:
        """Cancel active operations; a run that has started keeps running."""
        self.fleet_actions.cancel()

    @action(
        "L",
        label=message("action.app.chart", "Chart"),
        help=message("action-help.app.chart", "Show the load of nodes and GPUs over time"),
        bar=60,
    )
    def action_app_chart(self) -> None:
        """Show the load over time: of the run that the mode is about, else of now."""
        from tui.screens.chart import chart_screen

        self.push_screen(chart_screen(self.session, *self.navigation.screen.chart_subject()))

    @action(
        "!",
        label=message("action.app.notices", "Messages"),
        help=message("action-help.app.notices", "Show all messages so far"),
    )
    def action_app_notices(self) -> None:
        """Show the notices so far."""
        from tui.screens.notices import NoticesScreen

        self.push_screen(NoticesScreen(self.engine.state.notices, self.session.texts))

    @action(
        "question_mark",
        label=message("action.app.help", "Help"),
        help=message("action-help.app.help", "Show every key that works here"),
        bar=90,
    )
    def action_app_help(self) -> None:
        """Show every key that works here."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.navigation.mode, self.session.texts, self._keys_in_use))

    @action(
        "ctrl+p",
        label=message("action.app.palette", "Find"),
        help=message("action-help.app.palette", "Find an action, node, run or theme by name"),
        bar=80,
        palette=False,
    )
    def action_app_palette(self) -> None:
        """Find anything by name."""
        self.action_command_palette()

    @action(
        "colon",
        label=message("action.app.command", "Command"),
        help=message(
            "action-help.app.command",
            "Type a command: any action of any mode (`:preflight start`, `:nodes filter gpu`)",
        ),
        palette=False,
    )
    def action_app_command(self) -> None:
        """Type a command: any action of any mode, a node, a run."""
        self.command_line.ask()

    @action(
        "f9",
        label=message("action.app.theme", "Theme"),
        help=message(
            "action-help.app.theme",
            "Switch to the next theme (one is for colour blindness, one has no colour)",
        ),
        takes="theme",
    )
    def action_app_theme(self, name: str = "") -> None:
        """Use the next of the console's themes, or the one named."""
        if name:
            self.theme = name
            return
        names = [theme.name for theme in THEMES]
        position = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(position + 1) % len(names)]
        self.notify(self.theme, timeout=2)

    @action(
        "f8",
        label=message("action.app.language", "한국어"),
        help=message("action-help.app.language", "Switch between English and Korean"),
        takes="language",
    )
    def action_app_language(self, lang: str = "") -> None:
        """Change the language of all texts: to the other, or to the one named."""
        lang = lang or LANGUAGES[(LANGUAGES.index(self.session.texts.lang) + 1) % len(LANGUAGES)]
        self.session.texts = Texts(lang)
        self.navigation.redraw()

    @action(
        label=message("action.app.node", "Node"),
        help=message("action-help.app.node", "Go to a node by its name: `:node gpu1`"),
        palette=False,
        takes="node",
    )
    def action_app_node(self, name: str) -> None:
        """Go to a node in the list of nodes."""
        self.navigation.show_item("nodes", name)

    @action(
        label=message("action.app.run", "Run"),
        help=message("action-help.app.run", "Show a run by its name: `:run NAME`"),
        palette=False,
        takes="run",
    )
    def action_app_run(self, run: str) -> None:
        """Show a run in the monitor."""
        self.fleet_actions.show_run(run)

    @action(
        "q",
        "ctrl+q",
        label=message("action.app.quit", "Quit"),
        help=message("action-help.app.quit", "Quit dtui; runs keep running"),
        bar=91,
    )
    def action_app_quit(self) -> None:
        """Quit; the question mentions that a run keeps running."""
        self.fleet_actions.leave(self.exit)
