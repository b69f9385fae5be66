"""A panel of styled lines that scrolls."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size
from textual.strip import Strip

from tui.rendering.spans import Spans
from tui.widgets.span_widget import SpanWidget


class Lines(SpanWidget):
    """Shows the lines it was given last; a list that is equal to the shown one costs nothing."""

    can_focus = False

    DEFAULT_CSS = "Lines { scrollbar-gutter: stable; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None, focusable: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.can_focus = focusable
        self._shown: Sequence[Spans] = ()
        self._of = ""

    def show(self, lines: Sequence[Spans], of: str = "") -> None:
        """Draw ``lines``; the scroll position stays as long as they are ``of`` the same item."""
        if of != self._of:
            self._of = of
            self.scroll_to(y=0, animate=False, immediate=True)
        if lines == self._shown:
            return
        self._shown = lines
        self.virtual_size = Size(self.room, len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the window."""
        number = y + self.scroll_offset.y
        spans = self._shown[number] if number < len(self._shown) else ()
        return self.strip(spans, self.size.width)
