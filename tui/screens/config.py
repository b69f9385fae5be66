"""Mode 6: the inventory and the training configuration as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import TextArea
from textual.worker import get_current_worker

from agent.wire.message import Message, message
from agent.wire.reasons import reason_of
from fleet.bounded_yaml import INVENTORY
from fleet.file_replacement import replace_user_file
from fleet.private_files import read_project_file
from fleet.state import FleetState
from tui.actions.context import ScreenContext
from tui.keys.action import action
from tui.operations.interface import RefusedError
from tui.rendering.spans import Span, Spans, wrap
from tui.screens.base import ModeScreen
from tui.state.view_state import SavedValues, View
from tui.views import config as view
from tui.widgets.lines import Lines
from tui.widgets.plain import text_editor

FILES = ("nodes", "training")
#: The program is asked what it makes of a text after so long without a key, in seconds.
PAUSE = 0.25


class ConfigScreen(ModeScreen):
    """An editor, and next to it the effects and faults of the text."""

    mode = "config"
    main = details = "#meaning"
    DEFAULT_CSS = """
    ConfigScreen #file { height: 1; padding: 0 1; background: $surface; }
    ConfigScreen #text { width: 1fr; height: 1fr; border: none; padding: 0 1; background: $background; }
    ConfigScreen #text:focus { border: none; }
    ConfigScreen #meaning { width: 44; height: 1fr; background: $surface; }
    ConfigScreen.-narrow #meaning { width: 30; }
    ConfigScreen.-huge #meaning { width: 64; }
    """

    def __init__(self, context: ScreenContext) -> None:
        super().__init__(context)
        self._which = "nodes"
        self._saved = ""
        #: A text, and what the program reports as wrong with it.
        self._checked: tuple[str, list[Message]] = ("", [])
        self._pause: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """File line, editor, meaning."""
        yield Lines(id="file")
        with Horizontal():
            yield text_editor(id="text")
            yield Lines(id="meaning", classes="panel", focusable=True)

    def on_mount(self) -> None:
        """Open the inventory."""
        self.query_one(TextArea).cursor_blink = False
        self._open(SavedValues(self.session.views.get(self.mode, {})).text("file", FILES, "nodes"))

    def remember(self) -> View:
        """Return which file is open."""
        return {"file": self._which}

    def hold(self) -> Callable[[], object]:
        """Keep what is typed and not saved."""
        before = self.query_one(TextArea)

        def put_back() -> None:
            area = self.query_one(TextArea)
            area.cursor_blink = False
            area.load_text(before.text)
            area.read_only = before.read_only
            area.move_cursor(before.cursor_location)

        return put_back

    @property
    def _path(self) -> Path | None:
        operations = self.session.operations
        return operations.inventory_path if self._which == "nodes" else operations.config_path

    def _open(self, which: str) -> None:
        self._which = which
        path, area = self._path, self.query_one(TextArea)
        self._saved = ""
        if path is not None and path.exists():
            try:
                self._saved = read_project_file(path, INVENTORY.size).decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self.notify(self.texts("config.unreadable", error=reason_of(error)), severity="error")
        area.load_text(self._saved)
        area.read_only = self.session.read_only or path is None
        self.redraw()

    def draw(self, state: FleetState) -> None:
        """Draw the effects of the text."""
        text, path = self.query_one(TextArea).text, self._path
        file: list[Span] = [(self.texts(f"config.{self._which}"), "title")]
        where = f"{path.parent.name}/{path.name}" if path else self.texts("config.no_training")
        file.append((f"  {where}", "muted"))
        if path is not None and not path.exists():
            file.append((f"  {self.texts('config.new')}", "warn"))
        elif text != self._saved:
            file.append((f"  ● {self.texts('config.changed')}", "warn"))
        self.query_one("#file", Lines).show([file])
        meaning = self.query_one("#meaning", Lines)
        meaning.show(self._meaning(text, state, max(20, meaning.room)))

    def _meaning(self, text: str, state: FleetState, width: int) -> list[Spans]:
        lines: list[Spans] = []
        if self._which == "nodes":
            faults = self._inventory_faults(text) if text.strip() else []
        else:
            ranks = view.ranks_of(self.session.cards, state)
            settings, own = view.parse(text)
            faults = self._program_faults(text) or own
            lines = view.training_lines(settings, ranks, len(self.session.cards), self.texts, width)
            lines.append([])
        if not faults:
            return [*lines, [(f"✓ {self.texts('config.valid')}", "ok")]]
        lines.append([(f"✗ {self.texts('config.faults', count=len(faults))}", "fail")])
        for fault in faults:
            lines += [[], *([(line, "text")] for line in wrap(self.texts.translate(fault), width))]
        return lines

    def _inventory_faults(self, text: str) -> list[Message]:
        return list(self.session.operations.check_inventory(text))

    def _program_faults(self, text: str) -> list[Message]:
        """Return what the program reported; none until it has answered, and for programs without a check."""
        return self._checked[1] if self._checked[0] == text else []

    def _faults_to_save(self, text: str) -> list[Message]:
        """Return what keeps the text from being saved."""
        if self._which == "nodes":
            return self._inventory_faults(text)
        if self._checked[0] != text:
            self._checked = (text, list(self.session.operations.check_config(text)))
        # The trainer checks every option; for other programs only dtui's own check applies.
        return self._program_faults(text) or view.parse(text)[1]

    def on_text_area_changed(self) -> None:
        """Compute the effects of the text; the program checks it once the typing pauses."""
        self.redraw()
        if self._which == "training":
            if self._pause is not None:
                self._pause.stop()
            self._pause = self.set_timer(PAUSE, self._ask_program)

    def _ask_program(self) -> None:
        text, operations, app = self.query_one(TextArea).text, self.session.operations, self.app
        if self._which != "training" or self._checked[0] == text:
            return

        def ask() -> None:
            worker = get_current_worker()
            faults = list(operations.check_config(text))
            if not worker.is_cancelled:
                app.call_from_thread(self._program_answered, text, faults)

        self.run_worker(ask, thread=True, group="check", exclusive=True, exit_on_error=False)

    def _program_answered(self, text: str, faults: list[Message]) -> None:
        self._checked = (text, faults)
        self.redraw()

    @action(
        "f2",
        label=message("action.config.nodes", "Nodes"),
        help=message("action-help.config.nodes", "Edit nodes.yaml"),
        bar=11,
    )
    def action_config_nodes(self) -> None:
        """Edit the inventory."""
        self._open("nodes")

    @action(
        "f3",
        label=message("action.config.training", "Training"),
        help=message("action-help.config.training", "Edit the training configuration"),
        bar=12,
    )
    def action_config_training(self) -> None:
        """Edit the training configuration."""
        self._open("training")

    @action(
        "ctrl+s",
        label=message("action.config.save", "Save"),
        help=message("action-help.config.save", "Save the file if it is valid"),
        bar=10,
        writes=True,
        priority=True,
    )
    def action_config_save(self) -> None:
        """Save the text when nothing is wrong with it."""
        text, path = self.query_one(TextArea).text, self._path
        if path is None:
            return
        faults = self._faults_to_save(text)
        if faults:
            self.notify(self.texts("config.faults", count=len(faults)), severity="error")
            return
        names = [card.name for card in self.session.cards]
        question = self.texts("confirm.save", file=path.name)
        self.dialogs.confirm_in_production(question, names, lambda: self._write(path, text))

    @action(
        "f4",
        label=message("action.config.wandb", "W&B"),
        help=message("action-help.config.wandb", "Turn Weights & Biases on or off"),
        bar=13,
        writes=True,
    )
    def action_config_wandb(self) -> None:
        """Turn Weights & Biases on or off in the training configuration."""
        if self._which != "training":
            self._open("training")
        area = self.query_one(TextArea)
        if not area.read_only:
            area.load_text(view.with_wandb_switched(area.text))
            self.redraw()

    def _write(self, path: Path, text: str) -> None:
        try:
            replace_user_file(path, text)
            self._saved = text
            if self._which == "nodes":
                self.session.operations.reload()
                self.session.engine.follow_inventory()
        except (OSError, RefusedError) as error:
            what = error.what if isinstance(error, RefusedError) else reason_of(error)
            self.notify(self.texts.translate(what), severity="error")
            return
        self.notify(self.texts("config.saved"))
        self.redraw()

    @action(
        "enter",
        "e",
        label=message("action.config.edit", "Edit"),
        help=message("action-help.config.edit", "Edit the text"),
        bar=9,
    )
    def action_config_edit(self) -> None:
        """Type in the text; until then single keys go to the modes."""
        self.query_one(TextArea).focus()

    @action(
        "escape",
        label=message("action.config.leave", "Leave text"),
        help=message("action-help.config.leave", "Leave the text, so that keys work again"),
        bar=16,
        palette=False,
    )
    def action_config_leave(self) -> None:
        """Take the focus from the text, so that single keys work again."""
        self.focus_main()

    def on_descendant_focus(self) -> None:
        """What can be done differs inside the text."""
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show editing only outside of the text, and leaving only inside."""
        if action in ("config_edit", "config_leave"):
            return isinstance(self.focused, TextArea) == (action == "config_leave")
        return super().check_action(action, parameters)
