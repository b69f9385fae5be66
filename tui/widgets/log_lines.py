"""From a log line to the rows it takes on the screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size

from fleet.logbook import Line, Matcher
from tui.rendering.spans import Span, fit, wrap
from tui.rendering.units import local_time
from tui.widgets.span_widget import PROGRAM

Colors = tuple[tuple[int, int, str], ...]

#: Words that show a line's severity. Only lines in view are checked.
_ERROR = re.compile(
    r"\b[A-Z]\w*(?:Error|Exception)\b|\b(?:ERROR|FATAL|CRITICAL)\b|^Traceback|out of memory|\bKilled\b"
)
_WARNING = re.compile(r"\b(?:WARNING|WARN|Warning)\b|\bUserWarning\b")
_WRAPPED = 200


class LineOptions(Struct, frozen=True):
    """How a pane shows its lines."""

    wrap: bool = False
    times: bool = False
    #: Lines near a match are distinguished from the matches, and gaps between them are shown.
    context: bool = False
    #: The label before each line in merged views: ranks -> text; None for no label.
    label: Callable[[Sequence[int]], str] | None = None
    #: Cells that the label takes.
    room: int = 7
    #: Cells scrolled to the right.
    side: int = 0

    def moved(self, cells: int) -> LineOptions:
        """Return the options scrolled sideways."""
        return replace(self, side=max(0, self.side + cells))

    def wrapped(self, wrap: bool) -> LineOptions:
        """Return the options with long lines wrapped or cut."""
        return replace(self, wrap=wrap, side=0)

    def labelled(self, label: Callable[[Sequence[int]], str] | None, room: int = 7) -> LineOptions:
        """Return the options with, or without, a label of ``room`` cells before each line."""
        return replace(self, label=label, room=room)

    def near(self, context: bool) -> LineOptions:
        """Return the options with or without a mark that distinguishes matches from the lines near them."""
        return replace(self, context=context)

    def timed(self, times: bool) -> LineOptions:
        """Return the options with or without times."""
        return replace(self, times=times)


class Row(Struct, frozen=True):
    """One row of the screen: a part of line ``number``."""

    number: int
    lead: tuple[Span, ...]
    text: str
    style: str
    #: Parts of the text in a colour of the program: start, end, SGR parameters.
    colors: Colors = ()

    def spans(self, search: Matcher | None) -> list[Span]:
        """Return the row with the matches of ``search`` marked."""
        spans = list(self.lead)
        done = 0
        for start, end in search.spans(self.text) if search else ():
            spans += [*self._colored(done, start), (self.text[start:end], "match")]
            done = end
        return [*spans, *self._colored(done, len(self.text))]

    def _colored(self, start: int, stop: int) -> Iterator[Span]:
        at = start
        for first, last, code in self.colors:
            first, last = max(first, start), min(last, stop)
            if first < last:
                yield self.text[at:first], self.style
                yield self.text[first:last], f"{PROGRAM}{code}"
                at = last
        yield self.text[at:stop], self.style


def rows_of(line: Line, options: LineOptions, width: int) -> Sequence[Row]:
    """Return the rows that a line takes in ``width`` cells."""
    lead: list[Span] = []
    if options.context:
        lead.append(("⋯" if line.after_gap else " ", "muted"))
        lead.append(("  ", "text") if line.aside else ("▸ ", "accent"))
    if options.times:
        lead.append((local_time(line.at, "%H:%M:%S "), "muted"))
    if options.label is not None:
        lead.append((fit(options.label(line.ranks), options.room) + " ", "accent"))
    style = "muted" if line.aside else style_of(line.text)
    room = width - sum(cell_len(text) for text, _ in lead)
    if options.wrap and cell_len(line.text) > room > 0:
        blank = tuple((" " * cell_len(text), "text") for text, _ in lead)
        rows: list[Row] = []
        at = 0
        for part in wrap(line.text, room)[:_WRAPPED]:
            # A part starts where the one before it ended, or after the space that the break removed.
            at = max(at, line.text.find(part, at))
            colors = _shifted(line.colors, at, 0)
            rows.append(Row(line.number, blank if rows else tuple(lead), part, style, colors))
            at += len(part)
        return rows
    text, colors = line.text, line.colors
    if options.side:
        text = _without(text, options.side)
        if colors:
            colors = _shifted(colors, len(line.text) - len(text) + 1, 1)
    if cell_len(text) > room:
        text = set_cell_size(text, max(0, room - 1)) + "…"
    return [Row(line.number, tuple(lead), text, style, colors)]


def _shifted(colors: Colors, cut: int, lead: int) -> Colors:
    """Return the colours of a text whose first ``cut`` characters were replaced by ``lead`` others."""
    if not colors:
        return colors
    moved = ((max(lead, start - cut + lead), end - cut + lead, code) for start, end, code in colors)
    return tuple(color for color in moved if color[0] < color[1])


def style_of(text: str) -> str:
    """Return the style that a line's words call for."""
    if _ERROR.search(text):
        return "fail"
    return "warn" if _WARNING.search(text) else "text"


def rank_set(ranks: Sequence[int]) -> str:
    """Return ranks as a set: ``[0-3,6]``; a single one as its number."""
    if len(ranks) == 1:
        return f"{ranks[0]}"
    parts: list[str] = []
    start = last = ranks[0]
    for rank in (*ranks[1:], None):
        if rank is not None and rank == last + 1:
            last = rank
            continue
        parts.append(f"{start}" if start == last else f"{start}-{last}")
        if rank is not None:
            start = last = rank
    return f"[{','.join(parts)}]"


def _without(text: str, cells: int) -> str:
    used = 0
    for position, character in enumerate(text):
        if used >= cells:
            return "‹" + text[position + 1 :]
        used += cell_len(character)
    return ""
