"""Every key that works here, from the action registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.i18n import Texts
from tui.keys.registry import key_name, keys_of, of_scope
from tui.rendering.spans import Spans, fit, wrap
from tui.widgets.lines import Lines
from tui.widgets.plain import set_titles

#: Which scopes can have the focus in a mode.
WITHIN = {
    "nodes": ("nodes", "list", "detail"),
    "preflight": ("preflight", "matrix", "list", "detail"),
    "deploy": ("deploy", "list", "detail"),
    "monitor": ("log", "monitor", "detail"),
    "runs": ("runs", "list", "detail"),
    "config": ("config", "detail"),
}


#: Cells for the keys of an action, and for its name.
_KEYS, _NAME = 16, 16


def help_lines(mode: str, texts: Texts, changed: Mapping[str, str], width: int) -> list[Spans]:
    """Return the keys of a mode and of the whole console, with what each does."""
    lines: list[Spans] = []
    for scope in (*WITHIN[mode], "app"):
        if lines:
            lines.append([])
        lines.append([(texts(f"help.scope.{scope}"), "title")])
        for action in of_scope(scope):
            own = changed.get(action.id)
            keys = [key_name(key.strip()) for key in own.split(",")] if own else keys_of(action)
            shown = " ".join(keys)
            first, *rest = wrap(texts.translate(action.help), max(20, width - _KEYS - _NAME))
            name = fit(texts.translate(action.label), _NAME)
            lines.append([(fit(f"  {shown}", _KEYS), "key"), (name, "strong"), (first, "text")])
            lines += [[(" " * (_KEYS + _NAME), "text"), (more, "text")] for more in rest]
    return lines


class HelpScreen(ModalScreen[None]):
    """A scrollable page over the mode."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,space,ctrl+f", "move(15)", show=False),
        Binding("pageup,ctrl+b", "move(-15)", show=False),
        Binding("home,g", "move(-9999)", show=False),
        Binding("end,G", "move(9999)", show=False),
    ]

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen Lines {
        width: 100; max-width: 96%; height: 90%; background: $surface; border: round $primary; padding: 0 1;
        border-title-color: $primary; border-subtitle-color: $foreground 62%;
    }
    """

    #: Text of the panel's title.
    TITLE_TEXT = "help.title"

    def __init__(self, mode: str, texts: Texts, changed: Mapping[str, str]) -> None:
        super().__init__()
        self._mode = mode
        self._changed = changed
        self._texts = texts

    def lines(self, width: int) -> list[Spans]:
        """Return what the panel shows, for lines of ``width`` cells."""
        return help_lines(self._mode, self._texts, self._changed, width)

    def compose(self) -> ComposeResult:
        """Lay out the one panel."""
        panel = Lines()
        set_titles(panel, self._texts(self.TITLE_TEXT), self._texts("help.close"))
        yield panel

    def on_mount(self) -> None:
        """Fill the panel, once its size is known."""
        panel = self.query_one(Lines)
        self.call_after_refresh(lambda: panel.show(self.lines(max(40, panel.room))))

    def action_move(self, count: int) -> None:
        """Scroll."""
        self.query_one(Lines).scroll_relative(y=count, animate=False, immediate=True)
