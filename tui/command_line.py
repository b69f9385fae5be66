"""Carries out what is typed after ``:``, from any mode: goes where the action belongs, then acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.dom import DOMNode

from tui import commands
from tui.choices import choices
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from tui.actions import Action
    from tui.chores import Chores


class CommandLine:
    """Asks for a command in the current mode's prompt, completing it while it is typed."""

    def __init__(self, app: Chores) -> None:
        self._app = app

    def ask(self) -> None:
        """Open the prompt."""
        self._app.mode_screen.query_one(Prompt).ask(
            ":", "", self.carry_out, complete=self.complete, hint=self.hint
        )

    def complete(self, text: str) -> list[str]:
        """Return the lines that ``text`` may become."""
        app = self._app
        return commands.complete(text, app.mode_screen.mode, lambda kind: choices(app, kind))

    def hint(self, text: str) -> str:
        """Return what the line does as it stands, or would with its first completion."""
        app = self._app
        found = commands.parse(text, app.mode_screen.mode)
        for line in self.complete(text)[:1] if found is None and text.strip() else ():
            found = commands.parse(line, app.mode_screen.mode)
        return app.texts(f"help.{found.action.id}") if found is not None else ""

    def carry_out(self, text: str) -> str | None:
        """Do what was typed; returns what is wrong with it."""
        app, texts = self._app, self._app.texts
        if not text.strip():
            return None
        mode = app.mode_screen.mode
        found = commands.parse(text, mode)
        if found is None:
            near = commands.nearest(text, mode)
            return texts("command.near", name=near) if near else texts("command.unknown", word=text.strip())
        if fault := self._fault(found):
            return fault
        self.act(found.action, found.argument)
        return None

    def _fault(self, command: commands.Command) -> str:
        app, texts, action = self._app, self._app.texts, command.action
        if action.writes and app.read_only:
            return texts("command.read_only")
        if not action.keys and not command.argument:
            return texts("command.incomplete", name=action.name)
        allowed = choices(app, action.takes) if command.argument else None
        if allowed is not None and command.argument not in allowed:
            from difflib import get_close_matches

            near = get_close_matches(command.argument, allowed, n=1)
            if near:
                return texts("command.no_such_near", name=command.argument, near=near[0])
            return texts("command.no_such", name=command.argument)
        if action.scope == "app" and not app.check_action(action.method, ()):
            return texts("command.not_now", name=action.name)
        return ""

    def act(self, action: Action, argument: str = "") -> None:
        """Go to the action's mode and do it there."""
        self._app.call_later(self._act, action, argument)

    async def _act(self, action: Action, argument: str) -> None:
        app = self._app
        if action.mode and action.mode != app.mode_screen.mode:
            await app.switch_mode(action.mode)
        parameters = (argument,) if argument else ()

        async def run() -> None:
            owner = self._owner(action)
            if owner is None or not owner.check_action(action.method, parameters):
                app.notify(app.texts("command.not_now", name=commands.written(action)), severity="warning")
            else:
                await app.run_action(("", action.method, parameters), default_namespace=owner)

        # A mode that is shown for the first time has nothing to act on before it is laid out.
        app.call_after_refresh(run)

    def _owner(self, action: Action) -> DOMNode | None:
        app = self._app
        if action.scope == "app":
            return app
        return app.mode_screen.log_pane if action.scope == "log" else app.mode_screen
