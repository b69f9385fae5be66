"""The screen of a mode, as far as navigation and the command line need it."""

from __future__ import annotations

from textual.screen import Screen
from textual.widget import Widget


class ModeView(Screen[None]):
    """What every mode's screen offers; :class:`tui.screens.base.ModeScreen` is what modes derive from."""

    #: The mode's name; also the scope of its actions.
    mode = ""

    def redraw(self) -> None:
        """Draw the newest state."""

    def show_item(self, name: str) -> None:
        """Put the cursor of the main table on an item."""

    def chart_subject(self) -> tuple[str, str]:
        """Return the run whose load a chart shows (empty: none, only now) and the node to start with."""
        return "", ""

    @property
    def log_pane(self) -> Widget | None:
        """The log pane that acts where one is meant; None where there is none."""
        return None
