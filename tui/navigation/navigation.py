"""Switches between modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.navigation.mode_view import ModeView

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import AwaitMount


class Navigation:
    """Switches modes and items within them. Modes are Textual's: each has its own screen."""

    def __init__(self, app: App[None]) -> None:
        self._app = app

    @property
    def screen(self) -> ModeView:
        """The screen of the current mode, below any dialogs."""
        screen = self._app.screen_stack[0]
        assert isinstance(screen, ModeView)
        return screen

    @property
    def mode(self) -> str:
        """The current mode."""
        return self.screen.mode

    def show_mode(self, mode: str) -> AwaitMount:
        """Switch to a mode."""
        return self._app.switch_mode(mode)

    def show_item(self, mode: str, item: str) -> None:
        """Switch to a mode and put its cursor on an item."""
        self.show_mode(mode)
        self._app.call_after_refresh(lambda: self.screen.show_item(item))

    def redraw(self) -> None:
        """Draw the current mode, below any dialogs."""
        self.screen.redraw()
