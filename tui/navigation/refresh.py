"""Schedules drawing: after a change, and once per second for elapsed times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer

    from tui.state.session import Session

#: Minimum seconds between two drawings: thousands of events per second cause ten drawings.
SHORTEST = 0.1


class FleetChanged(Message):
    """The state, a log or the active operations have changed."""


class QuestionWaiting(Message):
    """An operation has a question for the user, or the last question was answered."""


class Refresh:
    """Calls ``draw`` after changes.

    :meth:`changed` and :meth:`question` are for other threads: they only post a message, of which at most one
    waits, so that no thread waits for a terminal that has stalled.
    """

    def __init__(self, app: App[None], session: Session, draw: Callable[[], object]) -> None:
        self._app = app
        self._session = session
        self._draw = draw
        self._posted = False
        self._timer: Timer | None = None
        self._last = 0.0
        self._drawn: tuple[int, int] = (-1, -1)

    def tick(self) -> None:
        """Draw now, and again at the start of each second: elapsed times are shown in whole ones."""
        self.draw_changes()
        self._app.set_timer(1.0 - time.time() % 1.0, self.tick)

    def changed(self) -> None:
        """Report a change; may be called from any thread."""
        if not self._posted:
            self._posted = True
            self._app.post_message(FleetChanged())

    def question(self) -> None:
        """Report a question; may be called from any thread."""
        self._app.post_message(QuestionWaiting())

    def schedule(self) -> None:
        """Draw now, or as soon as the last drawing is SHORTEST seconds ago."""
        if self._timer is None:
            wait = self._last + SHORTEST - time.monotonic()
            if wait > 0:
                self._timer = self._app.set_timer(wait, self._draw_now)
            else:
                self._draw_now()

    def _draw_now(self) -> None:
        self._timer = None
        # Before the drawing: later changes are drawn again.
        self._posted = False
        self.draw_changes()

    def draw_changes(self) -> None:
        """Draw if the state or the second has changed."""
        now = (self._session.engine.version, int(self._session.clock()))
        if now != self._drawn and self._app.screen_stack:
            self._drawn = now
            self._last = time.monotonic()
            self._draw()
