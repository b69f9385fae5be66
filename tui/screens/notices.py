"""All messages so far, the newest first."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.events import Notice
from tui.i18n import Texts
from tui.rendering.spans import Spans, fit, wrap
from tui.rendering.status import mark
from tui.rendering.units import local_time
from tui.screens.help import HelpScreen


def notice_lines(notices: Sequence[Notice], texts: Texts, width: int) -> list[Spans]:
    """Return time, level and text of each message, its remedy below."""
    lines: list[Spans] = []
    for notice in reversed(notices):
        sign, style = mark("level", notice.level, texts)
        clock = local_time(notice.at, "%H:%M:%S") if notice.at else " " * 8
        lead = f"{clock}  {fit(sign, 10)}"
        shown, remedy = texts.translate(notice.text), texts.translate(notice.remedy)
        text = f"{notice.node}: {shown}" if notice.node else shown
        first, *rest = wrap(text, width - 22)
        lines.append([(lead, style), (f" {first}", "text")])
        lines += [[(" " * 21 + part, "text")] for part in rest]
        if remedy:
            lines += [[(" " * 21 + part, "muted")] for part in wrap(f"→ {remedy}", width - 22)]
    return lines or [[(texts("notices.none"), "muted")]]


class NoticesScreen(HelpScreen):
    """A scrollable list over the mode."""

    DEFAULT_CSS = """
    NoticesScreen { align: center middle; background: $background 60%; }
    """

    TITLE_TEXT = "notices.title"

    def __init__(self, notices: Sequence[Notice], texts: Texts) -> None:
        super().__init__("nodes", texts, {})
        self._notices_shown = notices

    def lines(self, width: int) -> list[Spans]:
        """Return the messages."""
        return notice_lines(self._notices_shown, self._texts, width)
