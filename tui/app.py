"""The console: modes, themes, and the actions that work everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import Provider

from fleet.state import FleetState
from tui import actions
from tui.chores import Chores
from tui.engine import Engine
from tui.i18n import LANGUAGES, Texts
from tui.operations import Operations, RunCard
from tui.prompts import Questions
from tui.remember import offer_to_keep
from tui.screens.base import ModeScreen
from tui.theme import DEFAULT, THEMES
from tui.view_state import View

#: How often the screen catches up with the fleet, in seconds.
TICK = 0.1
#: How long the first frame has the processor for itself until it stands on the terminal, in seconds.
FIRST_FRAME = 0.02


def _palette() -> type[Provider]:
    """Return what the palette offers; it is imported when it is first opened."""
    from tui.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(Chores):
    """Draws the engine's state; everything that acts on nodes goes through ``operations``."""

    TITLE = "dtui"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("app")
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
    ) -> None:
        # Read by the constructor: the app begins in this mode, with no empty screen before it.
        self.DEFAULT_MODE = first  # type: ignore[misc]
        super().__init__()
        self.operations = operations
        self.texts = Texts(lang)
        self.read_only = read_only
        self.clock = clock
        self.engine = engine or Engine(operations, clock=clock)
        self.questions = questions or Questions()
        self.selection: frozenset[str] = frozenset()
        self.keymap = dict(keymap or {})
        #: What each mode shows again at the next start.
        self.views = dict(views or {})
        #: The runs of the project, the newest first, as last read.
        self.history: Sequence[RunCard] = ()
        self._current: tuple[str, str] | None = None
        #: The mode that was shown last.
        self.shown = first
        self._drawn: tuple[int, int] = (-1, -1)
        self._told = 0
        #: Told once the first frame is drawn.
        self._begun = begun
        for own in THEMES:
            self.register_theme(own)
        # Not by changing into it: for that Textual reads all style sheets once more.
        self.set_reactive(App.theme, DEFAULT)
        self.stylesheet.set_variables(self.get_css_variables())
        if theme in self.available_themes:
            self.theme = theme

    def get_default_screen(self) -> ModeScreen:
        """Return the screen that the app begins with: the one shown last."""
        return _screen(self.shown)

    def on_mount(self) -> None:
        """Begin to draw; the first mode's screen is there."""
        # Not earlier: for a mode that it knows when it begins, Textual reads all style sheets twice more.
        for mode in actions.MODES:
            self.add_mode(mode, lambda mode=mode: _screen(mode))  # type: ignore[misc]
        self.set_keymap(self.keymap)
        self._told = self.engine.state.noticed
        self.set_interval(TICK, self._tick)

    def on_ready(self) -> None:
        """Go on with what the first frame, which is laid out now, need not wait for."""
        self.set_timer(FIRST_FRAME, self._begin)

    def _begin(self) -> None:
        """Begin with the nodes, and with a run that goes on."""
        if not self.screen_stack:
            return  # too late: the app leaves
        if self._begun is not None:
            self._begun()
        # Before the engine's thread begins: the two need not import the same packages at the same time.
        self.read_history()
        self.engine.start()
        for run in self.history[:1]:
            if not run.outcome and run.run not in self.engine.state.runs:
                self.attach(run.run)

    def on_unmount(self) -> None:
        """Let go of the nodes; runs go on."""
        self.engine.stop()

    def _tick(self) -> None:
        if not self.screen_stack:
            return  # the last one, while the app leaves
        now = (self.engine.version, int(self.clock()))
        if now != self._drawn:
            self._drawn = now
            run = self.engine.state.run
            current = (run.id, run.outcome) if run is not None else None
            if current != self._current:
                self._current = current
                self.read_history()
            self.mode_screen.redraw()
            self._tell(self.engine.state)
        question = self.questions.next()
        if question is not None:
            self.ask_person(question)
        elif len(self.screen_stack) == 1:
            offer_to_keep(self)

    def _tell(self, state: FleetState) -> None:
        """Show notices that are new as toasts."""
        count = min(state.noticed - self._told, 3)
        self._told = state.noticed
        for notice in state.notices[-count:] if count > 0 else ():
            said, remedy = self.texts.said(notice.text), self.texts.said(notice.remedy)
            text = f"{notice.node}: {said}" if notice.node else said
            severity: Any = {"info": "information"}.get(notice.level, notice.level)
            self.notify(text + (f"\n→ {remedy}" if remedy else ""), severity=severity, markup=False)

    def action_app_command(self) -> None:
        """Type a command: any action of any mode, a node, a run."""
        from tui.command_line import CommandLine

        CommandLine(self).ask()

    def action_app_language(self, lang: str = "") -> None:
        """Change the language of all texts: to the other, or to the one named."""
        lang = lang or LANGUAGES[(LANGUAGES.index(self.texts.lang) + 1) % len(LANGUAGES)]
        self.texts = Texts(lang)
        self.mode_screen.redraw()


def _screen(mode: str) -> ModeScreen:
    """Make a mode's screen; each is imported when it is first shown."""
    from importlib import import_module

    module = import_module(f"tui.screens.{mode}")
    screen: ModeScreen = getattr(module, f"{mode.capitalize()}Screen")()
    return screen
