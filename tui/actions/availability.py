"""Which actions are available now: their keys act, and they are listed in the key bar and the palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.keys.registry import find_method

if TYPE_CHECKING:
    from tui.state.session import Session


class Availability:
    """What a read-only console leaves out, and what makes no sense in the fleet's present state."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def allows(self, method: str) -> bool:
        """Return whether the action that this method carries out is available."""
        action = find_method(method)
        if action is None:
            return True
        if action.operation is not None and action.operation.rule.unmet(self._session.engine.state):
            return False
        return not (action.writes and self._session.read_only)
