"""Asks the person who sits before the console: yes or no, a password, whether to trust, whether to fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from tui.i18n import Texts
    from tui.operations import Operations
    from tui.prompts import Question


class Asking(TypeAhead, inherit_bindings=False):
    """An app that asks; each question is a screen over the current one, imported when it is first asked."""

    operations: Operations
    texts: Texts

    def confirm(
        self,
        question: str,
        names: Sequence[str],
        go: Callable[[], object],
        *,
        default: bool = False,
        writes: bool = True,
    ) -> None:
        """Ask before ``go``; No is the default for what destroys, in production for all that ``writes``."""
        from tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                go()

        production = self.operations.production and writes
        screen = ConfirmScreen(
            question, names, self.texts, default=default and not production, production=production
        )
        self.push_screen(screen, answered)

    def confirm_in_production(self, question: str, names: Sequence[str], go: Callable[[], object]) -> None:
        """Ask before ``go`` where machines in production are concerned; elsewhere do it at once."""
        if self.operations.production:
            self.confirm(question, names, go)
        else:
            go()

    def ask_person(self, question: Question) -> None:
        """Ask for a password, whether a host key is to be trusted, or whether a fix is wanted."""
        from tui.screens.confirm import ConfirmScreen
        from tui.screens.form import Field, FormScreen

        if question.key is not None:
            key = question.key
            text = self.texts("ask.host_key", host=f"{key.host}:{key.port}", algorithm=key.algorithm)

            def trusted(yes: bool | None) -> None:
                question.answer(bool(yes))

            self.push_screen(ConfirmScreen(text, [key.fingerprint], self.texts), trusted)
            return
        if question.fix is not None:
            from tui.screens.confirm_fix import ConfirmFixScreen

            fix = question.fix
            text = "preflight.ask_fix_admin" if fix.needs_administrator else "preflight.ask_fix"

            def wanted(yes: bool | None) -> None:
                question.answer(bool(yes))

            asked = self.texts(text, node=fix.node, what=self.texts.said(fix.what))
            production = self.operations.production
            self.push_screen(
                ConfirmFixScreen(asked, self.texts.said(fix.shown), self.texts, production=production), wanted
            )
            return

        def save(values: dict[str, str]) -> None:
            question.answer(values["secret"])

        title = self.texts("ask.password", endpoint=question.endpoint or "")
        field = Field("secret", self.texts.said(question.reason), secret=True)
        self.push_screen(FormScreen(title, [field], save, self.texts, give_up=lambda: question.answer(None)))
