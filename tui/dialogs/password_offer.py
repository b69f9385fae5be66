"""Offers to save a typed password that was accepted; the default is No."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.secrets.saved_passwords import TypedPassword, can_save, save_password

if TYPE_CHECKING:
    from textual.app import App

    from tui.dialogs.dialogs import Dialogs
    from tui.dialogs.questions import Questions
    from tui.state.session import Session


class PasswordOffer:
    """Asks whether to save such a password in the system's keyring, if there is one."""

    def __init__(self, app: App[None], session: Session, dialogs: Dialogs, questions: Questions) -> None:
        self._app = app
        self._session = session
        self._dialogs = dialogs
        self._questions = questions

    def make(self) -> None:
        """Offer to save the next password that a node has accepted."""
        typed = self._questions.accepted(self._is_logged_in)
        if typed is None or self._session.read_only:
            return
        if can_save():
            texts = self._session.texts
            question = texts("keep.ask", endpoint=typed.endpoint)
            self._dialogs.confirm(question, [texts("keep.note")], lambda: self._save(typed), writes=False)

    def _is_logged_in(self, typed: TypedPassword) -> bool:
        session = self._session
        nodes = (
            session.engine.state.nodes.get(card.name)
            for card in session.cards
            if card.address == typed.endpoint.host
        )
        links = [node.link for node in nodes if node is not None]
        return any(link.state == "up" and link.since >= typed.at for link in links)

    def _save(self, typed: TypedPassword) -> None:
        texts = self._session.texts

        def save() -> None:
            error = save_password(typed)
            text = texts("keep.failed", why=error) if error else texts("keep.done")
            self._app.notify(text, severity="error" if error else "information")

        # A keyring may ask the user to unlock it.
        self._app.run_worker(save, thread=True, group="keyring", exit_on_error=False)
