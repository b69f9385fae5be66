"""A question before something that can't be taken back; No is the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from tui.i18n import Texts

#: Names listed in full; of more only the number is said.
LISTED = 12


class ConfirmScreen(ModalScreen[bool]):
    """Asks ``question`` and lists whom it concerns; dismisses with the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,escape,q", "answer(False)", show=False),
        Binding("left,right,tab,h,l", "other", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; background: $background 60%; }
    ConfirmScreen #box { width: 64; max-width: 90%; height: auto; background: $surface; padding: 1 2; }
    ConfirmScreen #box { border: round $warning; }
    ConfirmScreen #question { text-style: bold; width: 1fr; }
    ConfirmScreen #names { color: $foreground 62%; margin: 1 0; width: 1fr; }
    ConfirmScreen Horizontal { height: 1; align-horizontal: right; }
    ConfirmScreen Button { min-width: 12; margin-left: 2; }
    ConfirmScreen Button { background: $panel; color: $foreground; }
    ConfirmScreen Button:focus { background: $primary; color: $background; text-style: bold; }
    """

    def __init__(self, question: str, names: Sequence[str], texts: Texts, *, default: bool = False) -> None:
        super().__init__()
        self._question = question
        self._listed = names
        self._texts = texts
        self._default = default

    def compose(self) -> ComposeResult:
        """Lay out question, names and answers."""
        more = len(self._listed) - LISTED
        names = ", ".join(self._listed[:LISTED])
        if more > 0:
            names += self._texts("confirm.more", count=more)
        with Vertical(id="box"):
            yield Label(self._question, id="question", markup=False)
            yield Label(names, id="names", markup=False)
            with Horizontal():
                yield Button(self._texts("confirm.no"), id="no", compact=True)
                yield Button(self._texts("confirm.yes"), id="yes", compact=True)

    def on_mount(self) -> None:
        """Give the default answer the focus."""
        self.query_one("#yes" if self._default else "#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Take the answer."""
        self.dismiss(answer)

    def action_other(self) -> None:
        """Go to the other answer."""
        self.focus_next("Button")
