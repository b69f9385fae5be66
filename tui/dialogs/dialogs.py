"""Opens the dialogs over the current screen: yes or no, a password, whether to trust, whether to fix, a plan.

Each dialog's module is imported when it is first opened: the first frame shows none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

    from fleet.events import PlanDrawn
    from fleet.preflight.fixes import Fix
    from transports.base import HostKey
    from tui.dialogs.questions import Question
    from tui.state.session import Session


class Dialogs:
    """Asks the user, and passes the answer to the question's callback."""

    def __init__(self, app: App[None], session: Session) -> None:
        self._app = app
        self._session = session

    def confirm(
        self,
        question: str,
        names: Sequence[str],
        proceed: Callable[[], object],
        *,
        default: bool = False,
        writes: bool = True,
    ) -> None:
        """Ask before ``proceed``.

        No is the default for what destroys, in production for all that ``writes``.
        """
        from tui.dialogs.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                proceed()

        production = self._session.operations.production and writes
        screen = ConfirmScreen(
            question,
            names,
            self._session.texts,
            default=default and not production,
            production=production,
        )
        self._app.push_screen(screen, answered)

    def confirm_in_production(
        self, question: str, names: Sequence[str], proceed: Callable[[], object]
    ) -> None:
        """Ask before ``proceed`` for machines in production; otherwise call it immediately."""
        if self._session.operations.production:
            self.confirm(question, names, proceed)
        else:
            proceed()

    def ask(self, question: Question) -> None:
        """Show the question of an operation."""
        if question.key is not None:
            self._ask_to_trust(question, question.key)
        elif question.fix is not None:
            self._ask_to_fix(question, question.fix)
        elif question.text:
            self._ask_yes_or_no(question)
        else:
            self._ask_for_secret(question)

    def _ask_yes_or_no(self, question: Question) -> None:
        from tui.dialogs.confirm import ConfirmScreen

        texts = self._session.texts
        screen = ConfirmScreen(texts.translate(question.text), [], texts)
        self._app.push_screen(screen, lambda yes: question.answer(bool(yes)))

    def _ask_to_trust(self, question: Question, key: HostKey) -> None:
        from tui.dialogs.confirm import ConfirmScreen

        texts = self._session.texts
        text = texts("ask.host_key", host=f"{key.host}:{key.port}", algorithm=texts.translate(key.algorithm))
        screen = ConfirmScreen(text, [key.fingerprint], texts)
        self._app.push_screen(screen, lambda yes: question.answer(bool(yes)))

    def _ask_to_fix(self, question: Question, fix: Fix) -> None:
        from tui.dialogs.confirm_fix import ConfirmFixScreen

        texts = self._session.texts
        if fix.needs_administrator:
            text = texts("preflight.ask_fix_admin", node=fix.node, what=texts.translate(fix.what))
        else:
            text = texts("preflight.ask_fix", node=fix.node, what=texts.translate(fix.what))
        production = self._session.operations.production
        screen = ConfirmFixScreen(text, texts.translate(fix.shown), texts, production=production)
        self._app.push_screen(screen, lambda yes: question.answer(bool(yes)))

    def _ask_for_secret(self, question: Question) -> None:
        from tui.dialogs.form import Field, FormScreen

        texts = self._session.texts

        def save(values: dict[str, str]) -> None:
            question.answer(values["secret"])

        if question.secret:
            title = texts("ask.secret")
            field = Field("secret", question.secret, secret=True)
        else:
            title = texts("ask.password", endpoint=question.endpoint or "")
            field = Field("secret", texts.translate(question.reason), secret=True)
        form = FormScreen(title, [field], save, texts, give_up=lambda: question.answer(None))
        self._app.push_screen(form)

    def show_plan(self, plan: PlanDrawn) -> None:
        """Show a plan that a run's network has drawn."""
        from tui.dialogs.plan import PlanScreen

        self._app.push_screen(PlanScreen(plan, self._session.texts))
