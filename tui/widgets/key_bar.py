"""The last line: what can be done here, with the keys that are really bound."""

from __future__ import annotations

from textual import events
from textual.strip import Strip

from tui.actions import BY_ID, Action, key_name
from tui.i18n import Texts
from tui.widgets.paint import Painted, Span, width_of


class KeyBar(Painted):
    """Draws the actions of the focused widget, its screen and the app that have a place in the bar."""

    can_focus = False

    DEFAULT_CSS = "KeyBar { height: 1; dock: bottom; background: $panel; overflow: hidden; }"

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self._texts = texts
        self._places: list[tuple[int, int, Action]] = []
        self._shown: list[tuple[Action, str]] = []

    def on_mount(self) -> None:
        """Follow the bindings of whatever has the focus."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.look_up())
        self.call_after_refresh(self.look_up)

    def look_up(self) -> None:
        """Look up the bindings anew."""
        found: dict[str, str] = {}
        for key, active in self.screen.active_bindings.items():
            if active.enabled and active.binding.id in BY_ID:
                found.setdefault(active.binding.id or "", key)
        shown = [(BY_ID[name], key) for name, key in found.items() if BY_ID[name].bar]
        shown.sort(key=lambda pair: pair[0].bar)
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line; what there is no room for goes, but stop, help and quit stay."""
        width = self.size.width
        items = [(action, self._item(action, key)) for action, key in self._shown]
        while items and sum(width_of(item) for _, item in items) > width:
            # Stop, help, palette and quit have the highest places and stay; the last of the others goes.
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
        return [(f" {key_name(key)}", "key"), (f" {self._texts(f'action.{action.id}')} ", "text")]

    async def on_click(self, event: events.Click) -> None:
        """Do what was clicked."""
        for start, end, action in self._places:
            if start <= event.x < end:
                for active in self.screen.active_bindings.values():
                    if active.binding.id == action.id:
                        await self.app.run_action(active.binding.action, active.node)
                        return
