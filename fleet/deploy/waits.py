"""A node that waits for another one which shares its project folder."""

from __future__ import annotations

from agent.wire.deploy import LOCK_REPORT_SECONDS, LOCK_SECONDS
from agent.wire.message import message
from fleet.errors import InvalidAnswer

_REPORTS = int(LOCK_SECONDS / LOCK_REPORT_SECONDS) + 1


class Waits:
    """Checks the reports of one request, and rejects those of a node that waits longer than the limit."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._reports = 0

    def add(self, seconds: float) -> None:
        """Accept one report; raises InvalidAnswer."""
        self._reports += 1
        if self._reports > _REPORTS or not 0 <= seconds <= LOCK_SECONDS + LOCK_REPORT_SECONDS:
            why = message("deploy.endless-wait", "it reports a wait longer than the limit")
            raise InvalidAnswer("deploy", why, node=self._node)
