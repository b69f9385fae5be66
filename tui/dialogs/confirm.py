"""A question before something that can't be taken back; No is the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button

from fleet.nodeset import fold_in_order
from tui.i18n import Texts
from tui.rendering.status import production_title
from tui.widgets.plain import PlainLabel, plain_button, set_titles

#: Number of names listed in full; outside production the rest is only counted.
LISTED = 12


class ConfirmScreen(ModalScreen[bool]):
    """Asks ``question`` and lists the nodes concerned; dismisses with the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,escape,q", "answer(False)", show=False),
        Binding("left,right,tab,h,l", "other", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; background: $background 60%; }
    ConfirmScreen #box { width: 64; max-width: 90%; height: auto; background: $surface; padding: 1 2; }
    ConfirmScreen #box { border: round $warning; }
    ConfirmScreen.-production #box { border: heavy $error; border-title-color: $error; }
    ConfirmScreen.-production #box { border-title-style: bold; }
    ConfirmScreen #question { text-style: bold; width: 1fr; }
    ConfirmScreen #names { color: $foreground 62%; margin: 1 0; width: 1fr; }
    ConfirmScreen Horizontal { height: 1; align-horizontal: right; }
    ConfirmScreen Button { min-width: 12; margin-left: 2; }
    ConfirmScreen Button { background: $panel; color: $foreground; }
    ConfirmScreen Button:focus { background: $primary; color: $background; text-style: bold; }
    """

    def __init__(
        self,
        question: str,
        names: Sequence[str],
        texts: Texts,
        *,
        default: bool = False,
        production: bool = False,
    ) -> None:
        super().__init__(classes="-production" if production else None)
        self._production = production
        self._question = question
        self._listed = names
        self._texts = texts
        self._default = default

    def compose(self) -> ComposeResult:
        """Lay out question, names and answers."""
        box = Vertical(id="box")
        if self._production:
            set_titles(box, production_title(self._texts))
        with box:
            yield PlainLabel(self._question, id="question")
            yield self.listing()
            with Horizontal():
                yield plain_button(self._texts("confirm.no"), id="no")
                yield plain_button(self._texts("confirm.yes"), id="yes")

    def listing(self) -> Widget:
        """Return the text below the question."""
        return PlainLabel(self._names(), id="names")

    def _names(self) -> str:
        more = len(self._listed) - LISTED
        if self._production:
            # Every host, however many: a set such as gpu[1-64] names them all.
            return fold_in_order(self._listed) if more > 0 else ", ".join(self._listed)
        names = ", ".join(self._listed[:LISTED])
        return names + self._texts("confirm.more", count=more) if more > 0 else names

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
