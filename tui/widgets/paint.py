"""Lines of styled pieces: the one way in which every widget of ours draws.

A line is a list of spans ``(text, style)``. Styles are names of this file; what they look like comes from
the theme. Every width is in terminal cells (a Hangul syllable has two).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

Span = tuple[str, str]
Spans = Sequence[Span]

STYLES = (
    "text", "strong", "muted", "faint", "ok", "warn", "fail", "busy", "accent", "title", "head", "cursor",
    "chosen", "match", "here", "key",
)  # fmt: skip


def width_of(spans: Spans) -> int:
    """Return the width of a line."""
    return sum(cell_len(text) for text, _ in spans)


def fit(text: str, width: int, align: str = "left") -> str:
    """Return ``text`` in exactly ``width`` cells; what is too long ends in an ellipsis."""
    length = cell_len(text)
    if length > width:
        return (
            set_cell_size(set_cell_size(text, max(0, width - 1)).rstrip() + "…", width) if width > 0 else ""
        )
    space = " " * (width - length)
    return space + text if align == "right" else text + space


def fit_spans(spans: Spans, width: int, align: str = "left") -> list[Span]:
    """Return the line in exactly ``width`` cells, padded or cut like :func:`fit`."""
    left = width - width_of(spans)
    if left >= 0:
        pad = (" " * left, "text")
        return [pad, *spans] if align == "right" else [*spans, pad]
    result: list[Span] = []
    room = width
    for text, style in spans:
        length = cell_len(text)
        if length >= room:
            result.append((fit(text + " " if length == room else text, room), style))
            return result
        result.append((text, style))
        room -= length
    return result


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` cells, broken at spaces where there are any."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            while cell_len(word) > width:
                room = width - cell_len(line) - bool(line)
                if room < width // 3:
                    lines.append(line)
                    line, room = "", width
                cut = _cut(word, room)
                line, word = f"{line} {word[:cut]}" if line else word[:cut], word[cut:]
                lines.append(line)
                line = ""
            if line and cell_len(line) + 1 + cell_len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def _cut(word: str, room: int) -> int:
    used = 0
    for position, character in enumerate(word):
        used += cell_len(character)
        if used > room:
            return max(1, position)
    return len(word)


class Painted(ScrollView):
    """Base of the widgets that draw lines of spans."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"paint--{name}" for name in STYLES}

    DEFAULT_CSS = """
    Painted {
        background: transparent;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        scrollbar-background: $surface;
        scrollbar-color: $panel-lighten-2;
    }
    Painted > .paint--text { color: $foreground; }
    Painted > .paint--strong { color: $foreground; text-style: bold; }
    Painted > .paint--muted { color: $foreground 62%; }
    Painted > .paint--faint { color: $foreground 35%; }
    Painted > .paint--ok { color: $success; }
    Painted > .paint--warn { color: $warning; }
    Painted > .paint--fail { color: $error; text-style: bold; }
    Painted > .paint--busy { color: $primary; }
    Painted > .paint--accent { color: $accent; }
    Painted > .paint--title { color: $primary; text-style: bold; }
    Painted > .paint--head { color: $foreground 62%; text-style: bold; }
    Painted > .paint--cursor { background: $primary 22%; }
    Painted > .paint--chosen { background: $primary 10%; }
    Painted > .paint--match { background: $warning; color: $background; }
    Painted > .paint--here { background: $primary; color: $background; text-style: bold; }
    Painted > .paint--key { color: $primary; text-style: bold; }
    """

    _looks: dict[tuple[str, str], Style]
    _ground: Style

    @property
    def room(self) -> int:
        """Cells across that lines have, scroll bar and padding left out."""
        return self.scrollable_content_region.width

    def render_lines(self, crop: Region) -> list[Strip]:
        """Look the styles up once for all lines of a drawing: that costs more than the lines do."""
        self._looks = {}
        self._ground = self.rich_style
        return super().render_lines(crop)

    def strip(self, spans: Iterable[Span], width: int, under: str = "") -> Strip:
        """Return the line as a strip of ``width`` cells, on the background of the style ``under``."""
        looks = self._looks
        ground = looks.get(("", under))
        if ground is None:
            ground = looks["", under] = self._ground + self._background(under)
        segments = []
        for text, name in spans:
            style = looks.get((name, under))
            if style is None:
                style = self.get_component_rich_style(f"paint--{name}")
                if name not in ("match", "here"):
                    style += self._background(under)
                looks[name, under] = style
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, ground)

    def _background(self, under: str) -> Style:
        if not under:
            return Style.null()
        return Style(bgcolor=self.get_component_rich_style(f"paint--{under}").bgcolor)
