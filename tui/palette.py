"""The command palette: actions, nodes, ranks and themes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape
from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.actions import ACTIONS, key_name

if TYPE_CHECKING:
    from tui.app import ConsoleApp


class ConsoleCommands(Provider):
    """Everything that can be done from where the person is."""

    @property
    def _console(self) -> ConsoleApp:
        from tui.app import ConsoleApp

        assert isinstance(self.app, ConsoleApp)
        return self.app

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = self._console
        texts, mode = app.texts, app.mode_screen.mode
        scopes = (mode, "app") if mode != "monitor" else (mode, "log", "app")
        for action in sorted(ACTIONS, key=lambda one: scopes.index(one.scope) if one.scope in scopes else 9):
            if action.scope not in scopes or not action.palette or (action.writes and app.read_only):
                continue
            owner = {"app": "app", "log": "focused"}.get(action.scope, "screen")
            label = escape(f"{texts(f'action.{action.id}')}   {key_name(action.keys[0])}")
            run = partial(app.mode_screen.run_action, f"{owner}.{action.method}")
            yield label, texts(f"help.{action.id}"), run
        for card in app.cards:
            yield f"{texts('palette.node')} {card.name}", card.address, partial(app.show_node, card.name)
        for name in sorted(app.available_themes):
            yield f"{texts('palette.theme')} {name}", "", partial(setattr, app, "theme", name)

    async def discover(self) -> Hits:
        """Offer everything."""
        for name, help_text, run in self._entries():
            yield DiscoveryHit(name, run, help=help_text)

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for name, help_text, run in self._entries():
            score = matcher.match(f"{name} {help_text}")
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, text=name, help=help_text)
