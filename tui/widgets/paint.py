"""Lines of styled pieces: the one way in which every widget of ours draws.

A line is a list of spans ``(text, style)``. Styles are names of this file; what they look like comes from
the theme. Every width is in terminal cells (a Hangul syllable has two).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fleet.frozen import frozen

Span = tuple[str, str]
Spans = Sequence[Span]


@frozen
class Paint:
    """What a style looks like: names of the theme's colours, and how much of them, from 0 to 1."""

    color: str = ""
    share: float = 1.0
    background: str = ""
    background_share: float = 1.0
    bold: bool = False


#: Not CSS: Textual works out each component class of each widget at every change, before the first frame too.
PAINTS = {
    "text": Paint("foreground"),
    "strong": Paint("foreground", bold=True),
    "muted": Paint("foreground", 0.62),
    "faint": Paint("foreground", 0.35),
    "ok": Paint("success"),
    "warn": Paint("warning"),
    "fail": Paint("error", bold=True),
    "busy": Paint("primary"),
    "accent": Paint("accent"),
    "title": Paint("primary", bold=True),
    "head": Paint("foreground", 0.62, bold=True),
    "cursor": Paint(background="primary", background_share=0.22),
    "chosen": Paint(background="primary", background_share=0.10),
    "match": Paint("background", background="warning"),
    "here": Paint("background", background="primary", bold=True),
    "key": Paint("primary", bold=True),
}


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

    DEFAULT_CSS = """
    Painted {
        background: transparent;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        scrollbar-background: $surface;
        scrollbar-color: $panel-lighten-2;
    }
    """

    #: What the looks were worked out for: the widget's own style and the theme.
    _worn: tuple[Style, str] | None = None
    _looks: dict[tuple[str, str], Style]
    _ground: Style

    @property
    def room(self) -> int:
        """Cells across that lines have, scroll bar and padding left out."""
        return self.scrollable_content_region.width

    def render_lines(self, crop: Region) -> list[Strip]:
        """Look the styles up once for all lines of a drawing: that costs more than the lines do."""
        worn = self.rich_style, self.app.theme
        if worn != self._worn:
            self._worn = worn
            self._ground = worn[0]
            self._looks = {}
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
                style = self._look(PAINTS[name])
                if name not in ("match", "here"):
                    style += self._background(under)
                looks[name, under] = style
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, ground)

    def _look(self, paint: Paint) -> Style:
        """Return the paint on this widget's background."""
        ground = self.background_colors[1]
        if paint.background:
            ground += self._color(paint.background, paint.background_share)
        look = self._ground + Style(bgcolor=ground.rich_color, bold=paint.bold or None)
        if paint.color:
            look += Style(color=(ground + self._color(paint.color, paint.share)).rich_color)
        return look

    def _color(self, name: str, share: float) -> Color:
        return Color.parse(self.app.theme_variables[name]).multiply_alpha(share)

    def _background(self, under: str) -> Style:
        return Style(bgcolor=self._look(PAINTS[under]).bgcolor) if under else Style.null()
