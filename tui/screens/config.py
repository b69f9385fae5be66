"""Mode 6: the inventory and the training configuration as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import TextArea
from textual.worker import get_current_worker

from fleet.state import FleetState
from tui import actions
from tui.operations import Refused
from tui.screens.base import ModeScreen
from tui.view_state import Kept, View
from tui.views import config as view
from tui.widgets.lines import Lines
from tui.widgets.paint import Span, Spans, wrap

FILES = ("nodes", "training")
#: The program is asked what it makes of a text after so long without a key, in seconds.
PAUSE = 0.25


class ConfigScreen(ModeScreen):
    """An editor, and beside it what the text comes to and what is wrong with it."""

    mode = "config"
    main = details = "#meaning"
    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("config")

    DEFAULT_CSS = """
    ConfigScreen #file { height: 1; padding: 0 1; background: $surface; }
    ConfigScreen #text { width: 1fr; height: 1fr; border: none; padding: 0 1; background: $background; }
    ConfigScreen #text:focus { border: none; }
    ConfigScreen #meaning { width: 44; height: 1fr; background: $surface; }
    ConfigScreen.-narrow #meaning { width: 30; }
    ConfigScreen.-huge #meaning { width: 64; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._which = "nodes"
        self._saved = ""
        #: A text, and what the program says is wrong with it.
        self._told: tuple[str, list[str]] = ("", [])
        self._pause: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """File line, editor, meaning."""
        yield Lines(id="file")
        with Horizontal():
            yield TextArea("", id="text", show_line_numbers=True, tab_behavior="indent")
            yield Lines(id="meaning", classes="panel", focusable=True)

    def on_mount(self) -> None:
        """Open the inventory."""
        self.query_one(TextArea).cursor_blink = False
        self._open(Kept(self.console.views.get(self.mode, {})).text("file", FILES, "nodes"))

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
        operations = self.console.operations
        return operations.inventory_path if self._which == "nodes" else operations.config_path

    def _open(self, which: str) -> None:
        self._which = which
        path, area = self._path, self.query_one(TextArea)
        self._saved = ""
        if path is not None and path.exists():
            try:
                self._saved = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self.notify(
                    self.texts("config.unreadable", error=self.texts.said(str(error))), severity="error"
                )
        area.load_text(self._saved)
        area.read_only = self.console.read_only or path is None
        self.redraw()

    def draw(self, state: FleetState) -> None:
        """Draw what the text comes to."""
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
        faults, lines = self._faults(text), []
        if self._which == "training":
            ranks = view.ranks_of(self.console.cards, state)
            settings = view.parse(text)[0]
            lines = view.training_lines(settings, ranks, len(self.console.cards), self.texts, width)
            lines.append([])
        if not faults:
            return [*lines, [(f"✓ {self.texts('config.valid')}", "ok")]]
        lines.append([(f"✗ {self.texts('config.faults', count=len(faults))}", "fail")])
        for fault in faults:
            lines += [[], *([(line, "text")] for line in wrap(self.texts.said(fault), width))]
        return lines

    def _faults(self, text: str, *, whole: bool = False) -> list[str]:
        """Return what is wrong; that nothing has been written yet counts only for a ``whole`` text."""
        if self._which == "nodes":
            return list(self.console.operations.check_inventory(text)) if text.strip() or whole else []
        own = view.parse(text)[1]
        if whole and self._told[0] != text:
            self._told = (text, list(self.console.operations.check_config(text)))
        # The program knows every option; until it has answered, and for other programs, our own look counts.
        return self._told[1] if self._told[0] == text and self._told[1] else own

    def on_text_area_changed(self) -> None:
        """Work out anew what the text comes to; the program is asked once the typing pauses."""
        self.redraw()
        if self._which == "training":
            if self._pause is not None:
                self._pause.stop()
            self._pause = self.set_timer(PAUSE, self._ask_program)

    def _ask_program(self) -> None:
        text, operations, app = self.query_one(TextArea).text, self.console.operations, self.console
        if self._which != "training" or self._told[0] == text:
            return

        def ask() -> None:
            worker = get_current_worker()
            told = list(operations.check_config(text))
            if not worker.is_cancelled:
                app.call_from_thread(self._program_told, text, told)

        self.run_worker(ask, thread=True, group="check", exclusive=True, exit_on_error=False)

    def _program_told(self, text: str, told: list[str]) -> None:
        self._told = (text, told)
        self.redraw()

    def action_config_nodes(self) -> None:
        """Edit the inventory."""
        self._open("nodes")

    def action_config_training(self) -> None:
        """Edit the training configuration."""
        self._open("training")

    def action_config_wandb(self) -> None:
        """Turn Weights & Biases on or off in the training configuration."""
        if self._which != "training":
            self._open("training")
        area = self.query_one(TextArea)
        if not area.read_only:
            area.load_text(view.with_wandb_switched(area.text))
            self.redraw()

    def action_config_save(self) -> None:
        """Save the text when nothing is wrong with it."""
        text, path = self.query_one(TextArea).text, self._path
        if path is None:
            return
        faults = self._faults(text, whole=True)
        if faults:
            self.notify(self.texts("config.faults", count=len(faults)), severity="error")
            return
        names = [card.name for card in self.console.cards]
        question = self.texts("confirm.save", file=path.name)
        self.console.confirm_in_production(question, names, lambda: self._write(path, text))

    def _write(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")
            beside.write_text(text, "utf-8", newline="\n")
            beside.replace(path)
            self._saved = text
            if self._which == "nodes":
                self.console.operations.reload()
                self.console.inventory_changed()
        except (OSError, Refused) as error:
            self.notify(self.texts.said(str(error)), severity="error")
            return
        self.notify(self.texts("config.saved"))
        self.redraw()

    def action_config_edit(self) -> None:
        """Type in the text; until then single keys go to the modes."""
        self.query_one(TextArea).focus()

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
