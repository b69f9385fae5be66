"""Offers to keep a password that was typed and has proved right; No unless the person says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.acting import Acting
    from tui.kept_passwords import Typed


def offer_to_keep(app: Acting) -> None:
    """Ask whether the next such password is to be put into the system's keyring, if there is one."""

    def logged_in(typed: Typed) -> bool:
        nodes = (
            app.engine.state.nodes.get(card.name) for card in app.cards if card.address == typed.endpoint.host
        )
        links = [node.link for node in nodes if node is not None]
        return any(link.state == "up" and link.since >= typed.at for link in links)

    typed = app.questions.accepted(logged_in)
    if typed is None or app.read_only:
        return
    from tui.kept_passwords import can_keep, keep

    def put() -> None:
        trouble = keep(typed)
        text = app.texts("keep.failed", why=trouble) if trouble else app.texts("keep.done")
        app.notify(text, severity="error" if trouble else "information", markup=False)

    def go() -> None:
        # A keyring may ask the person to unlock it.
        app.run_worker(put, thread=True, group="keyring", exit_on_error=False)

    if can_keep():
        question = app.texts("keep.ask", endpoint=typed.endpoint)
        app.confirm(question, [app.texts("keep.note")], go, writes=False)
