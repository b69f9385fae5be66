"""Shows new notices as toasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel

    from fleet.events import Level, Notice
    from tui.state.session import Session

#: Toasts shown together; of more notices the newest are shown, and all in the list of notices.
MOST = 3


class Toasts:
    """Remembers which notices have been shown."""

    def __init__(self, app: App[None], session: Session) -> None:
        self._app = app
        self._session = session
        self._shown = 0
        self._since = 0.0

    def skip(self) -> None:
        """Show none of the notices so far, nor those of runs that were recorded before now."""
        self._shown = self._session.engine.state.noticed
        self._since = self._session.clock()

    def show_new(self) -> None:
        """Show the new notices."""
        state = self._session.engine.state
        count = min(state.noticed - self._shown, MOST)
        self._shown = state.noticed
        for notice in state.notices[-count:] if count > 0 else ():
            if notice.at >= self._since:
                self._show(notice)

    def _show(self, notice: Notice) -> None:
        texts = self._session.texts
        shown, remedy = texts.translate(notice.text), texts.translate(notice.remedy)
        text = f"{notice.node}: {shown}" if notice.node else shown
        self._app.notify(text + (f"\n→ {remedy}" if remedy else ""), severity=_severity(notice.level))


def _severity(level: Level) -> SeverityLevel:
    return "information" if level == "info" else level
