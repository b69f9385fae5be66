"""What may follow a command, by kind; a new kind of argument gets its line here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.i18n import LANGUAGES
from tui.state.session import Session
from tui.views.nodes import SORTS
from tui.widgets.tiles import TILINGS


def choices(session: Session, themes: Iterable[str], kind: str) -> Sequence[str] | None:
    """Return the values of a kind; None for a text, which may be anything."""
    if kind == "node":
        return [card.name for card in session.cards]
    if kind == "run":
        return [card.run for card in session.history]
    if kind == "theme":
        return sorted(themes)
    if kind == "language":
        return LANGUAGES
    if kind == "sort":
        return SORTS
    if kind == "tiling":
        return [str(count) for count in TILINGS]
    return None
