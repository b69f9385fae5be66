"""One line at the bottom in which a person types: a search, a filter, a command."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """Hidden until asked; gives the focus back to where it was."""

    DEFAULT_CSS = """
    Prompt { dock: bottom; height: 1; background: $panel; display: none; offset-y: -1; }
    Prompt.-open { display: block; }
    Prompt Label { color: $primary; text-style: bold; padding: 0 1; width: auto; }
    Prompt Input { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
    Prompt Input:focus { border: none; background: $panel; }
    Prompt #fault { color: $error; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._done: Callable[[str], str | None] | None = None
        self._changed: Callable[[str], object] | None = None

    def compose(self) -> ComposeResult:
        """Lay out label, field and a place for what is wrong with the input."""
        yield Label("", id="asking", markup=False)
        yield Input(id="answer", select_on_focus=True)
        yield Label("", id="fault", markup=False)

    def ask(
        self,
        label: str,
        value: str,
        done: Callable[[str], str | None],
        changed: Callable[[str], object] | None = None,
    ) -> None:
        """Ask; ``done`` gets the answer and returns what is wrong with it, or None to close."""
        self._done, self._changed = done, changed
        self.query_one("#asking", Label).update(label)
        self.query_one("#fault", Label).update("")
        field = self.query_one("#answer", Input)
        with field.prevent(Input.Changed):
            field.value = value
        self.add_class("-open")
        field.focus()

    def close(self) -> None:
        """Hide and give the focus back."""
        self.remove_class("-open")
        self._done = self._changed = None
        self.screen.focus_main()  # type: ignore[attr-defined]

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed so far."""
        event.stop()
        if self._changed is not None:
            self._changed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand over the answer."""
        event.stop()
        if self._done is None:
            return
        done = self._done
        fault = done(event.value)
        if fault:
            self.query_one("#fault", Label).update(f" ✗ {fault} ")
        elif self._done is done:
            self.close()

    def on_key(self, event: events.Key) -> None:
        """Escape gives up."""
        if event.key == "escape":
            event.stop()
            self.close()
