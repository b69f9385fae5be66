"""Executes a command typed after ``:``: goes to the mode of its action, then runs it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from tui.keys.action import Action
from tui.navigation import commands
from tui.navigation.choices import choices
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from textual.app import App

    from tui.navigation.navigation import Navigation
    from tui.state.session import Session


class CommandLine:
    """Asks for a command in the current mode's prompt, completing it while it is typed."""

    def __init__(self, app: App[None], session: Session, navigation: Navigation) -> None:
        self._app = app
        self._session = session
        self._navigation = navigation

    def ask(self) -> None:
        """Open the prompt."""
        prompt = self._navigation.screen.query_one(Prompt)
        prompt.ask(":", "", self.carry_out, complete=self.complete, hint=self.hint)

    def complete(self, text: str) -> list[str]:
        """Return the lines that ``text`` may become."""
        return commands.complete(text, self._navigation.mode, self._choices)

    def _choices(self, kind: str) -> Sequence[str] | None:
        return choices(self._session, self._app.available_themes, kind)

    def hint(self, text: str) -> str:
        """Return what the line does, or would do with its first completion."""
        mode = self._navigation.mode
        found = commands.parse(text, mode)
        for line in self.complete(text)[:1] if found is None and text.strip() else ():
            found = commands.parse(line, mode)
        return self._session.texts.translate(found.action.help) if found is not None else ""

    def carry_out(self, text: str) -> str | None:
        """Do what was typed; returns what is wrong with it."""
        texts = self._session.texts
        if not text.strip():
            return None
        mode = self._navigation.mode
        found = commands.parse(text, mode)
        if found is None:
            near = commands.nearest(text, mode)
            return texts("command.near", name=near) if near else texts("command.unknown", word=text.strip())
        if fault := self._fault(found):
            return fault
        self.act(found.action, found.argument)
        return None

    def _fault(self, command: commands.Command) -> str:
        texts, action = self._session.texts, command.action
        if action.writes and self._session.read_only:
            return texts("command.read_only")
        if not action.keys and not command.argument:
            return texts("command.incomplete", name=action.name)
        allowed = self._choices(action.takes) if command.argument else None
        if allowed is not None and command.argument not in allowed:
            near = get_close_matches(command.argument, allowed, n=1)
            if near:
                return texts("command.no_such_near", name=command.argument, near=near[0])
            return texts("command.no_such", name=command.argument)
        if action.scope == "app" and not self._app.check_action(action.method, ()):
            return texts("command.not_now", name=action.name)
        return ""

    def act(self, action: Action, argument: str = "") -> None:
        """Go to the action's mode and do it there."""
        self._app.call_later(self._act, action, argument)

    async def _act(self, action: Action, argument: str) -> None:
        app = self._app
        if action.mode and action.mode != self._navigation.mode:
            await self._navigation.show_mode(action.mode)
        parameters = (argument,) if argument else ()

        async def run() -> None:
            owner = self._owner(action)
            if owner is None or not owner.check_action(action.method, parameters):
                text = self._session.texts("command.not_now", name=commands.written(action))
                app.notify(text, severity="warning")
            else:
                await app.run_action(("", action.method, parameters), default_namespace=owner)

        # A mode that is shown for the first time has nothing to act on before it is laid out.
        app.call_after_refresh(run)

    def _owner(self, action: Action) -> DOMNode | None:
        if action.scope == "app":
            return self._app
        screen = self._navigation.screen
        return screen.log_pane if action.scope == "log" else screen
