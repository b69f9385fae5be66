"""What may follow a command, by kind; a new kind of argument gets its line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.i18n import LANGUAGES

if TYPE_CHECKING:
    from tui.chores import Chores


def choices(app: Chores, kind: str) -> Sequence[str] | None:
    """Return the values of a kind; None for a text, which may be anything."""
    if kind == "node":
        return [card.name for card in app.cards]
    if kind == "run":
        return [card.run for card in app.history]
    if kind == "theme":
        return sorted(app.available_themes)
    if kind == "language":
        return LANGUAGES
    if kind == "sort":
        from tui.views.nodes import SORTS

        return SORTS
    if kind == "tiling":
        from tui.widgets.tiles import TILINGS

        return [str(count) for count in TILINGS]
    return None
