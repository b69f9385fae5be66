"""From a log line to the rows it takes on the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.cells import cell_len, set_cell_size

from fleet.frozen import frozen
from fleet.logbook import Line, Matcher
from tui.widgets.paint import Span, fit, wrap

#: What a line's own words say of its weight. Only lines in view are looked at.
_ERROR = re.compile(
    r"\b[A-Z]\w*(?:Error|Exception)\b|\b(?:ERROR|FATAL|CRITICAL)\b|^Traceback|out of memory|\bKilled\b"
)
_WARNING = re.compile(r"\b(?:WARNING|WARN|Warning)\b|\bUserWarning\b")
_WRAPPED = 200


@frozen
class Look:
    """How a pane shows its lines; a change of one thing leaves the others."""

    wrap: bool = False
    times: bool = False
    #: Lines near a match are told from the matches, and where some are left out.
    context: bool = False
    #: Says whose a line is, before each line (merged views): ranks -> a text; None says nothing.
    label: Callable[[Sequence[int]], str] | None = None
    #: Cells that the label takes.
    room: int = 7
    #: Cells scrolled to the right.
    side: int = 0

    def moved(self, cells: int) -> Look:
        """Return the look scrolled sideways."""
        return replace(self, side=max(0, self.side + cells))

    def wrapped(self, wrap: bool) -> Look:
        """Return the look with long lines broken or cut."""
        return replace(self, wrap=wrap, side=0)

    def labelled(self, label: Callable[[Sequence[int]], str] | None, room: int = 7) -> Look:
        """Return the look with, or without, a label of ``room`` cells before each line."""
        return replace(self, label=label, room=room)

    def near(self, context: bool) -> Look:
        """Return the look with or without room for what tells matches from the lines near them."""
        return replace(self, context=context)

    def timed(self, times: bool) -> Look:
        """Return the look with or without times."""
        return replace(self, times=times)


@frozen
class Row:
    """One row of the screen: a part of line ``number``."""

    number: int
    lead: tuple[Span, ...]
    text: str
    style: str

    def spans(self, search: Matcher | None) -> list[Span]:
        """Return the row with the matches of ``search`` marked."""
        spans = list(self.lead)
        done = 0
        for start, end in search.spans(self.text) if search else ():
            spans += [(self.text[done:start], self.style), (self.text[start:end], "match")]
            done = end
        spans.append((self.text[done:], self.style))
        return spans


def rows_of(line: Line, look: Look, width: int) -> Sequence[Row]:
    """Return the rows that a line takes in ``width`` cells."""
    lead: list[Span] = []
    if look.context:
        lead.append(("⋯" if line.after_gap else " ", "muted"))
        lead.append(("  ", "text") if line.aside else ("▸ ", "accent"))
    if look.times:
        lead.append((time.strftime("%H:%M:%S ", time.localtime(line.at)), "muted"))
    if look.label is not None:
        lead.append((fit(look.label(line.ranks), look.room) + " ", "accent"))
    style = "muted" if line.aside else style_of(line.text)
    room = width - sum(cell_len(text) for text, _ in lead)
    if look.wrap and cell_len(line.text) > room > 0:
        blank = tuple((" " * cell_len(text), "text") for text, _ in lead)
        parts = wrap(line.text, room)[:_WRAPPED]
        return [Row(line.number, blank if i else tuple(lead), part, style) for i, part in enumerate(parts)]
    text = line.text
    if look.side:
        text = _without(text, look.side)
    if cell_len(text) > room:
        text = set_cell_size(text, max(0, room - 1)) + "…"
    return [Row(line.number, tuple(lead), text, style)]


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
