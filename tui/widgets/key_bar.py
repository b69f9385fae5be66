"""The last line: the available actions with their actual keys."""

from __future__ import annotations

from textual import events
from textual.strip import Strip

from tui.i18n import Texts
from tui.keys.action import Action
from tui.keys.registry import find, key_name
from tui.rendering.spans import Span, width_of
from tui.widgets.span_widget import SpanWidget


class KeyBar(SpanWidget):
    """Draws the actions of the focused widget, its screen and the app that have a place in the bar."""

    can_focus = False

    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; overflow: hidden; }"

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._places: list[tuple[int, int, Action]] = []
        self._shown: list[tuple[Action, str]] = []

    def on_mount(self) -> None:
        """Follow the bindings of the focused widget."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.look_up())
        self.call_after_refresh(self.look_up)

    def look_up(self) -> None:
        """Look up the bindings again."""
        found: dict[str, str] = {}
        for key, active in self.screen.active_bindings.items():
            if active.enabled and active.binding.id:
                found.setdefault(active.binding.id, key)
        shown = [(one, key) for name, key in found.items() if (one := find(name)) is not None and one.bar]
        shown.sort(key=lambda pair: pair[0].bar)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line as far as it fits; stop, help and quit always stay."""
        width = self.size.width
        items = [(action, self._item(action, key)) for action, key in self._shown]
        while items and sum(width_of(item) for _, item in items) > width:
            # Stop, help, palette and quit have the highest places and stay; others go from the right.
            others = [pair for pair in items if pair[0].bar < 70] or items
            items.remove(others[-1])
        self._places = []
        line: list[Span] = []
        for action, item in items:
            start = width_of(line)
            line += item
            self._places.append((start, width_of(line), action))
        return self.strip(line, width)

    def _item(self, action: Action, key: str) -> list[Span]:
        return [(f" {key_name(key)}", "key"), (f" {self._texts.translate(action.label)} ", "text")]

    async def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        for start, end, action in self._places:
            if start <= event.x < end:
                for active in self.screen.active_bindings.values():
                    if active.binding.id == action.id:
                        await self.app.run_action(active.binding.action, active.node)
                        return
