"""One log on the screen: a window onto a ring of lines.

Only the lines in view are ever read and drawn. The pane holds on to absolute line numbers, so lines may
come and go underneath while the user reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from agent.wire.message import message
from fleet.logbook import ERRORS, Line, Matcher, Source
from tui.keys.action import ActionOwner, action
from tui.rendering.spans import Span, fit_spans
from tui.widgets.log_lines import LineOptions, Row, rows_of
from tui.widgets.span_widget import SpanWidget

#: Cells that one key press scrolls sideways.
SIDE = 8
#: Lines searched per key press, so that it never takes long.
SEARCHED = 50_000


class LogPane(ActionOwner, SpanWidget, can_focus=True):
    """Shows a :class:`Source`, following its end or anchored where the reader is."""

    DEFAULT_CSS = """
    LogPane { overflow: hidden; background: $background; }
    """

    class Requested(Message):
        """The pane needs something from its screen: ``what`` is search, filter, context, copy, save or clear.

        It is options when the user changes how lines are shown. ``typed`` is what the user has typed already.
        """

        def __init__(self, pane: LogPane, what: str, typed: str = "") -> None:
            super().__init__()
            self.pane = pane
            self.what = what
            self.typed = typed

    class NotFound(Requested):
        """A jump found nothing in this pane: the screen may search the others (``what``: next, previous)."""

    def __init__(self, source: Source, title: Callable[[], list[Span]], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.source = source
        self.options = LineOptions()
        self.following = True
        self.search: Matcher | None = None
        #: The line a jump has led to.
        self.here: int | None = None
        self._title = title
        #: The first line in view while not following, and the end when the reader stopped following.
        self._top = 0
        self._left_at = 0
        self._rows: list[Row] = []
        self._drawn: tuple[object, ...] = ()

    @property
    def body_height(self) -> int:
        """Lines of log that are in view; the first line of the pane is its title."""
        return max(0, self.size.height - 1)

    @property
    def unseen(self) -> int:
        """Lines that have arrived since the user stopped following."""
        return 0 if self.following else max(0, self.source.end - self._left_at)

    def look_at(self, source: Source) -> None:
        """Show another source from its end."""
        self.source = source
        self.here = None
        self.following = True
        self.tick()

    def tick(self) -> None:
        """Add new lines and redraw when anything in view has changed."""
        self.source.advance()
        width, height = self.size.width, self.body_height
        if width <= 0 or height <= 0:
            return
        self._rows = self._window(width, height)
        drawn = (tuple(self._rows), tuple(self._title()), self.unseen, self.following, self.search, self.here)
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def _window(self, width: int, height: int) -> list[Row]:
        source, options, width = self.source, self.options, width - 1
        if self.following:
            lines = source.read(max(source.first, source.end - height), source.end)
            rows = [row for line in lines for row in rows_of(line, options, width)]
            return rows[-height:]
        self._top = max(self._top, source.first)
        lines = source.read(self._top, self._top + height)
        return [row for line in lines for row in rows_of(line, options, width)][:height]

    def on_resize(self) -> None:
        """Fill the new size."""
        self.tick()

    def on_focus(self) -> None:
        """Redraw the title."""
        self.refresh()

    def on_blur(self) -> None:
        """Redraw the title."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the title line, and one row of the log for each line below."""
        width = self.size.width
        if y == 0:
            return self.strip(self._head(width), width, "cursor" if self.has_focus else "chosen")
        if y - 1 >= len(self._rows):
            return self.strip([(f" {self.nothing()}", "muted")] if y == 1 else (), width)
        row = self._rows[y - 1]
        under = "cursor" if row.number == self.here else ""
        return self.strip([(" ", "text"), *row.spans(self.search)], width, under)

    def _head(self, width: int) -> list[Span]:
        if self.following:
            state: Span = ("▼ ", "ok")
        else:
            count = self.unseen
            state = (f"‖ +{count} ", "warn") if count else ("‖ ", "warn")
        left = fit_spans([(" ", "text"), *self._title()], max(0, width - cell_len(state[0])))
        return [*left, state]

    def pause(self) -> None:
        """Stop following: what is in view stays."""
        if self.following:
            self.following = False
            self._left_at = self.source.end
            first = self._rows[0].number if self._rows else self.source.end
            self._top = first

    def follow(self) -> None:
        """Go to the end and stay there."""
        self.following = True
        self.here = None
        self.tick()

    def go_to(self, number: int) -> None:
        """Show line ``number`` a third down the pane, marked."""
        self.pause()
        self.here = number
        self._top = max(self.source.first, number - self.body_height // 3)
        self.tick()

    def in_view(self) -> list[Line]:
        """Return the lines in view."""
        if not self._rows:
            return []
        return self.source.read(self._rows[0].number, self._rows[-1].number + 1)

    def seek(self, matcher: Matcher, forward: bool, start: int | None = None) -> bool:
        """Go to the next or previous line that matches; returns whether there was one."""
        number = find(self.source, matcher, self._from(forward) if start is None else start, forward)
        if number is None:
            return False
        self.go_to(number)
        return True

    def seek_from_edge(self, matcher: Matcher, forward: bool) -> bool:
        """Go to the first (``forward``) or last line that matches."""
        return self.seek(matcher, forward, self.source.first if forward else self.source.end - 1)

    def nothing(self) -> str:
        """Return the text of a pane without lines."""
        return ""

    @property
    def label(self) -> str:
        """A name for a file."""
        return "log"

    def _from(self, forward: bool) -> int:
        if self.here is not None:
            return self.here + 1 if forward else self.here - 1
        if self.following:
            return self.source.first if forward else self.source.end - 1
        return self._top if forward else self._top + self.body_height - 1

    def _scroll(self, count: int) -> None:
        self.pause()
        self.here = None
        top = self._top + count
        if count > 0 and top + self.body_height >= self.source.end:
            self.follow()
            return
        self._top = max(self.source.first, top)
        self.tick()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll back and stop following."""
        event.stop()
        self._scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll on; at the end follow again."""
        event.stop()
        self._scroll(3)

    @action(
        "space",
        "f",
        label=message("action.log.follow", "Pause"),
        help=message("action-help.log.follow", "Pause, or follow the end again"),
        bar=10,
    )
    def action_log_follow(self) -> None:
        """Pause, or follow again."""
        if self.following:
            self.pause()
            self.tick()
        else:
            self.follow()

    @action(
        "slash",
        label=message("action.log.search", "Search"),
        help=message("action-help.log.search", "Search in all panes; /.../ is a regular expression"),
        bar=11,
        takes="text",
    )
    def action_log_search(self, typed: str = "") -> None:
        """Ask for the text to search, unless it is typed already."""
        self.post_message(self.Requested(self, "search", typed))

    @action(
        "ampersand",
        label=message("action.log.filter", "Filter"),
        help=message("action-help.log.filter", "Show only matching lines"),
        bar=17,
        takes="text",
    )
    def action_log_filter(self, typed: str = "") -> None:
        """Ask what lines to show, unless it is typed already."""
        self.post_message(self.Requested(self, "filter", typed))

    @action(
        "c",
        label=message("action.log.context", "Context"),
        help=message("action-help.log.context", "Show more lines around each matching line, or none"),
    )
    def action_log_context(self) -> None:
        """Show more lines around each that the filter lets through, or none again."""
        self.post_message(self.Requested(self, "context"))

    @action(
        "n",
        label=message("action.log.next-match", "Next match"),
        help=message("action-help.log.next-match", "Go to the next match"),
    )
    def action_log_next_match(self) -> None:
        """Go to the next line that matches the search."""
        if self.search is not None and not self.seek(self.search, forward=True):
            self.app.bell()

    @action(
        "N",
        label=message("action.log.previous-match", "Previous match"),
        help=message("action-help.log.previous-match", "Go to the previous match"),
    )
    def action_log_previous_match(self) -> None:
        """Go to the previous line that matches the search."""
        if self.search is not None and not self.seek(self.search, forward=False):
            self.app.bell()

    @action(
        "e",
        label=message("action.log.next-error", "Error"),
        help=message("action-help.log.next-error", "Go to the next error, in any rank"),
        bar=15,
    )
    def action_log_next_error(self) -> None:
        """Go to the next error, in this pane or else in another."""
        if not self.seek(ERRORS, forward=True):
            self.post_message(self.NotFound(self, "next"))

    @action(
        "E",
        label=message("action.log.previous-error", "Previous error"),
        help=message("action-help.log.previous-error", "Go to the previous error, in any rank"),
    )
    def action_log_previous_error(self) -> None:
        """Go to the previous error, in this pane or else in another."""
        if not self.seek(ERRORS, forward=False):
            self.post_message(self.NotFound(self, "previous"))

    @action(
        "w",
        label=message("action.log.wrap", "Wrap"),
        help=message("action-help.log.wrap", "Break long lines, or cut them"),
        bar=18,
    )
    def action_log_wrap(self) -> None:
        """Break long lines, or cut them."""
        self._turn(self.options.wrapped(not self.options.wrap))

    @action(
        "T",
        label=message("action.log.times", "Times"),
        help=message("action-help.log.times", "Show or hide when each line arrived"),
    )
    def action_log_times(self) -> None:
        """Show when each line arrived, or not."""
        self._turn(self.options.timed(not self.options.times))

    @action(
        "y",
        label=message("action.log.copy", "Copy"),
        help=message("action-help.log.copy", "Copy the lines in view"),
    )
    def action_log_copy(self) -> None:
        """Copy the lines in view."""
        self.post_message(self.Requested(self, "copy"))

    @action(
        "s",
        label=message("action.log.save", "Save"),
        help=message("action-help.log.save", "Save the kept lines to a file"),
    )
    def action_log_save(self) -> None:
        """Save all lines that are kept."""
        self.post_message(self.Requested(self, "save"))

    @action(
        "escape",
        label=message("action.log.clear", "Clear"),
        help=message("action-help.log.clear", "Clear search and filter, and follow the end again"),
        palette=False,
    )
    def action_log_clear(self) -> None:
        """Forget search and mark, follow again."""
        self.search = None
        self.post_message(self.Requested(self, "clear"))
        self.follow()

    @action(
        "up",
        "k",
        label=message("action.log.up", "Up"),
        help=message("action-help.log.up", "Scroll back by a line"),
        palette=False,
    )
    def action_log_up(self) -> None:
        """Scroll back by a line."""
        self._scroll(-1)

    @action(
        "down",
        "j",
        label=message("action.log.down", "Down"),
        help=message("action-help.log.down", "Scroll forward by a line"),
        palette=False,
    )
    def action_log_down(self) -> None:
        """Scroll on by a line."""
        self._scroll(1)

    @action(
        "pageup",
        "ctrl+b",
        label=message("action.log.page-up", "Page up"),
        help=message("action-help.log.page-up", "Scroll back by a page"),
        palette=False,
    )
    def action_log_page_up(self) -> None:
        """Scroll back by a page."""
        self._scroll(-max(1, self.body_height - 1))

    @action(
        "pagedown",
        "ctrl+f",
        label=message("action.log.page-down", "Page down"),
        help=message("action-help.log.page-down", "Scroll forward by a page"),
        palette=False,
    )
    def action_log_page_down(self) -> None:
        """Scroll on by a page."""
        self._scroll(max(1, self.body_height - 1))

    @action(
        "left",
        "h",
        label=message("action.log.left", "Left"),
        help=message("action-help.log.left", "Scroll left"),
        palette=False,
    )
    def action_log_left(self) -> None:
        """Scroll left."""
        self._turn(self.options.moved(-SIDE))

    @action(
        "right",
        "l",
        label=message("action.log.right", "Right"),
        help=message("action-help.log.right", "Scroll right"),
        palette=False,
    )
    def action_log_right(self) -> None:
        """Scroll right."""
        self._turn(self.options.moved(SIDE))

    @action(
        "home",
        "g",
        label=message("action.log.top", "Oldest"),
        help=message("action-help.log.top", "Go to the oldest line"),
        palette=False,
    )
    def action_log_top(self) -> None:
        """Go to the oldest line."""
        self.pause()
        self.here = None
        self._top = self.source.first
        self.tick()

    @action(
        "end",
        "G",
        label=message("action.log.bottom", "Newest"),
        help=message("action-help.log.bottom", "Go to the newest line and follow"),
        palette=False,
    )
    def action_log_bottom(self) -> None:
        """Go to the newest line and follow."""
        self.follow()

    def _turn(self, options: LineOptions) -> None:
        self.options = options
        self.tick()
        self.post_message(self.Requested(self, "options"))


def find(source: Source, matcher: Matcher, start: int, forward: bool) -> int | None:
    """Return the number of the nearest matching line from ``start`` on, within SEARCHED lines."""
    block = 1000
    deadline = time.monotonic() + 1.0
    searched = 0
    while searched < SEARCHED and time.monotonic() < deadline:
        low, high = (start, start + block) if forward else (start - block + 1, start + 1)
        low, high = max(low, source.first), min(high, source.end)
        if low >= high:
            return None
        lines = source.read(low, high)
        for line in lines if forward else reversed(lines):
            if matcher.matches(line.text):
                return line.number
        searched += high - low
        start = high if forward else low - 1
    return None
