"""The command palette: actions of all modes, nodes, runs and themes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from fleet.terminal import one_line
from tui.keys.action import Action
from tui.keys.registry import find, key_name
from tui.navigation.command_line import CommandLine
from tui.navigation.commands import typed_actions
from tui.navigation.navigation import Navigation
from tui.state.session import Session


def _app_action(name: str) -> Action:
    found = find(f"app.{name}")
    assert found is not None
    return found


@runtime_checkable
class PaletteOwner(Protocol):
    """The app, as far as the palette needs it."""

    session: Session
    navigation: Navigation

    @property
    def command_line(self) -> CommandLine:
        """What carries actions out."""


class ConsoleCommands(Provider):
    """All actions, those of the current mode first."""

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """Yield what is offered: a safe name, a safe explanation, and what to do."""
        for name, explanation, run in self._offers():
            yield one_line(name, 200), one_line(explanation, 200), run

    def _offers(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = self.app
        assert isinstance(app, PaletteOwner)
        session, line, mode = app.session, app.command_line, app.navigation.mode
        texts = session.texts
        near = sorted(typed_actions(), key=lambda one: (one.mode != mode) + (one.mode not in (mode, "")))
        for action in near:
            if not action.palette or (action.writes and session.read_only):
                continue
            away = f"{texts(f'mode.{action.mode}')} · " if action.mode not in (mode, "") else ""
            label = f"{away}{texts.translate(action.label)}   {key_name(action.keys[0])}"
            yield label, texts.translate(action.help), partial(line.act, action)
        for card in session.cards:
            show = partial(line.act, _app_action("node"), card.name)
            yield f"{texts('palette.node')} {card.name}", card.address, show
        for run in session.history:
            outcome = texts.word("outcome", run.outcome or "running")
            yield f"{texts('palette.run')} {run.run}", outcome, partial(line.act, _app_action("run"), run.run)
        for name in sorted(self.app.available_themes):
            yield f"{texts('palette.theme')} {name}", "", partial(line.act, _app_action("theme"), name)

    async def discover(self) -> Hits:
        """Offer everything."""
        for name, help_text, run in self._entries():
            yield DiscoveryHit(Content(name), run, text=name, help=escape(help_text))

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for name, help_text, run in self._entries():
            score = matcher.match(f"{name} {help_text}")
            if score > 0:
                # Textual would read brackets in the name as markup: then no letters are highlighted.
                shown = Content(name) if "[" in name else matcher.highlight(name)
                yield Hit(score, shown, run, text=name, help=escape(help_text))
