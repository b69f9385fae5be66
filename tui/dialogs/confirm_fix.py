"""Asks before a fix on a node, with the exact commands, however long these are. No is the default."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import chop_cells
from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from fleet.terminal import spelled_out
from tui.dialogs.confirm import ConfirmScreen
from tui.i18n import Texts
from tui.rendering.spans import wrap
from tui.widgets.lines import Lines
from tui.widgets.plain import set_titles

#: Lines of the question that are shown, and lines of the screen that the commands can't have.
_MOST_OF_QUESTION = 4
_AROUND = 14


class ConfirmFixScreen(ConfirmScreen):
    """Shows ``steps``, one command a line; those of a firewall name every node, so they scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-5)", show=False),
        Binding("pagedown", "move(5)", show=False),
    ]

    DEFAULT_CSS = """
    ConfirmFixScreen { overflow: hidden; }
    ConfirmFixScreen #box { width: 90%; max-width: 110; border-subtitle-color: $foreground 62%; }
    ConfirmFixScreen #question { height: 2; }
    ConfirmFixScreen #steps { height: 1; margin: 1 0; }
    """

    def __init__(self, question: str, steps: str, texts: Texts, *, production: bool = False) -> None:
        super().__init__(question, (), texts, production=production)
        self._asked = question
        self._steps = steps

    def listing(self) -> Widget:
        """Return the panel of commands."""
        return Lines(id="steps")

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the commands for the new size."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        panel, question = self.query_one("#steps", Lines), self.query_one("#question")
        # Broken anywhere: at spaces alone, some of them would be lost.
        steps = spelled_out(self._steps).split("\n")
        parts = [part for step in steps for part in chop_cells(step, max(20, panel.room))]
        panel.show([[(part, "accent")] for part in parts])
        # Heights are set, since an automatic one would make the box as high as all that could be scrolled to.
        question.styles.height = min(len(wrap(self._asked, max(20, panel.room))), _MOST_OF_QUESTION)
        panel.styles.height = min(len(parts), max(3, self.size.height - _AROUND))
        self.call_after_refresh(self._show_more)

    def _show_more(self) -> None:
        more = self.query_one("#steps", Lines).max_scroll_y > 0
        set_titles(self.query_one("#box"), subtitle=self._texts("confirm.scroll") if more else "")

    def action_move(self, lines: int) -> None:
        """Show what is further up or down."""
        self.query_one("#steps", Lines).scroll_relative(y=lines, animate=False, immediate=True)
