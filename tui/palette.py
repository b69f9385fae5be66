"""The command palette: actions of all modes, nodes, runs and themes by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from rich.markup import escape
from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.actions import key_name
from tui.chores import Chores
from tui.command_line import CommandLine
from tui.commands import TYPED


class ConsoleCommands(Provider):
    """Everything that can be done, what belongs to where the person is first."""

    @property
    def _console(self) -> Chores:
        assert isinstance(self.app, Chores)
        return self.app

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        app = self._console
        texts, mode, line = app.texts, app.mode_screen.mode, CommandLine(app)
        near = sorted(TYPED, key=lambda one: (one.mode != mode) + (one.mode not in (mode, "")))
        for action in near:
            if not action.palette or (action.writes and app.read_only):
                continue
            away = f"{texts(f'mode.{action.mode}')} · " if action.mode not in (mode, "") else ""
            label = escape(f"{away}{texts(f'action.{action.id}')}   {key_name(action.keys[0])}")
            yield label, texts(f"help.{action.id}"), partial(line.act, action)
        for card in app.cards:
            yield (
                f"{texts('palette.node')} {card.name}",
                card.address,
                partial(app.action_app_node, card.name),
            )
        for run in app.history:
            told = texts.word("outcome", run.outcome or "running")
            yield f"{texts('palette.run')} {run.run}", told, partial(app.action_app_run, run.run)
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
