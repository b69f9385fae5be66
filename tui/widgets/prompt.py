"""One line at the bottom for a search, a filter or a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from textual import events
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from tui.widgets.plain import PlainLabel, plain_input

Complete = Callable[[str], Sequence[str]]


class FirstCompletion(Suggester):
    """Shows the first completion after the typed text; the right arrow key accepts it."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """Return the line that ``value`` would become."""
        return next(iter(self._complete(value)), None) if value else None


class Prompt(Horizontal):
    """Hidden until needed; returns the focus afterwards. Tab cycles through the completions."""

    DEFAULT_CSS = """
    Prompt { dock: bottom; height: 1; background: $panel; display: none; offset-y: -1; }
    Prompt.-open { display: block; }
    Prompt Label { color: $primary; text-style: bold; padding: 0 1; width: auto; }
    Prompt Input { border: none; height: 1; padding: 0; background: $panel; width: 1fr; }
    Prompt Input:focus { border: none; background: $panel; }
    Prompt #hint { color: $foreground 62%; text-style: none; max-width: 60%; }
    Prompt #fault { color: $error; max-width: 75%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._done: Callable[[str], str | None] | None = None
        self._changed: Callable[[str], object] | None = None
        self._complete: Complete | None = None
        self._hint: Callable[[str], str] | None = None
        #: The completions that Tab cycles through, and the current one.
        self._round: list[str] = []

    def _parts(self) -> Iterator[Widget]:
        """Return label, field and places for the meaning and the fault of the input."""
        yield PlainLabel(id="asking")
        field = plain_input(id="answer")
        field.cursor_blink = False
        yield field
        yield PlainLabel(id="hint")
        yield PlainLabel(id="fault")

    def ask(
        self,
        label: str,
        value: str,
        done: Callable[[str], str | None],
        changed: Callable[[str], object] | None = None,
        *,
        complete: Complete | None = None,
        hint: Callable[[str], str] | None = None,
    ) -> None:
        """Ask; ``done`` gets the answer and returns what is wrong with it, or None to close.

        ``complete`` returns the completions of a text, ``hint`` its meaning.
        """
        self._done, self._changed, self._complete, self._hint = done, changed, complete, hint
        self._round = []
        if not self.children:
            # Not before: the field and its styles would take a tenth of the time that a first frame takes.
            self.mount(*self._parts())
        self.query_one("#asking", PlainLabel).show(label)
        self._say()
        field = self.query_one("#answer", Input)
        field.suggester = FirstCompletion(complete) if complete is not None else None
        with field.prevent(Input.Changed):
            field.value = value
        self.add_class("-open")
        # Immediately, not in the next iteration of the loop: keys typed until then belong in here.
        self.screen.set_focus(field)

    def _say(self, fault: str = "", hint: str = "") -> None:
        for name, text in (("fault", fault), ("hint", hint)):
            label = self.query_one(f"#{name}", PlainLabel)
            label.show(text)
            label.display = bool(text)

    def close(self) -> None:
        """Hide and give the focus back."""
        self.remove_class("-open")
        self._done = self._changed = self._complete = self._hint = None
        self.screen.focus_main()  # type: ignore[attr-defined]

    def on_input_changed(self, event: Input.Changed) -> None:
        """Report what is typed so far."""
        event.stop()
        if event.value not in self._round:
            self._round = []
        self._say(hint=self._hint(event.value) if self._hint is not None else "")
        if self._changed is not None:
            self._changed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Submit the answer."""
        event.stop()
        if self._done is None:
            return
        done = self._done
        fault = done(event.value)
        if fault:
            self._say(f"✗ {fault}")
        elif self._done is done:
            self.close()

    def on_key(self, event: events.Key) -> None:
        """Escape cancels; Tab accepts a completion, and then the next."""
        if event.key == "escape":
            event.stop()
            self.close()
        elif event.key in ("tab", "shift+tab") and self._complete is not None:
            event.stop()
            self._turn(1 if event.key == "tab" else -1)

    def _turn(self, step: int) -> None:
        field = self.query_one("#answer", Input)
        if not self._round and self._complete is not None:
            self._round = [field.value, *self._complete(field.value)]
        if self._round:
            position = self._round.index(field.value) if field.value in self._round else 0
            field.value = self._round[(position + step) % len(self._round)]
            field.cursor_position = len(field.value)
