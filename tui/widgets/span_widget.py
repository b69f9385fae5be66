"""The base of the widgets that draw lines of spans, and the paint of each style."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from rich.ansi import AnsiDecoder
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fleet.terminal import one_line
from tui.rendering.spans import Span


class Paint(Struct, frozen=True):
    """A style's paint: names of the theme's colours, and how much of them, from 0 to 1."""

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


#: Styles that a program chose: this, and SGR parameters (see ``fleet.terminal``).
PROGRAM = "sgr:"
#: Number of styles that are cached.
_CACHED_STYLES = 1024


def _style_of(code: str) -> Style:
    """Return the style of canonical SGR parameters."""
    return next(iter(AnsiDecoder().decode_line(f"\x1b[{code}m.").spans)).style  # type: ignore[return-value]


class SpanWidget(ScrollView):
    """Base of the widgets that draw lines of spans."""

    DEFAULT_CSS = """
    SpanWidget {
        background: transparent;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        scrollbar-background: $surface;
        scrollbar-color: $panel-lighten-2;
    }
    """

    #: What the cached styles depend on: the widget's own style and the theme.
    _worn: tuple[Style, str] | None = None
    _styles: dict[tuple[str, str], Style]
    _ground: Style

    @property
    def room(self) -> int:
        """Cells across that lines have, scroll bar and padding left out."""
        return self.scrollable_content_region.width

    def render_lines(self, crop: Region) -> list[Strip]:
        """Look the styles up once for all lines of a drawing: that is slower than drawing the lines."""
        worn = self.rich_style, self.app.theme
        if worn != self._worn:
            self._worn = worn
            self._ground = worn[0]
            self._styles = {}
        return super().render_lines(crop)

    def strip(self, spans: Iterable[Span], width: int, under: str = "") -> Strip:
        """Return the line as a strip of ``width`` cells, on the background of the style ``under``."""
        styles = self._styles
        ground = styles.get(("", under))
        if ground is None:
            ground = styles["", under] = self._ground + self._background(under)
        segments = []
        for text, name in spans:
            style = styles.get((name, under))
            if style is None:
                if name.startswith(PROGRAM):
                    style = ground + _style_of(name.removeprefix(PROGRAM))
                else:
                    style = self._style_of(PAINTS[name])
                    if name not in ("match", "here"):
                        style += self._background(under)
                if len(styles) >= _CACHED_STYLES:  # programs may use any of 16 million colours
                    styles.clear()
                styles[name, under] = style
            segments.append(Segment(one_line(text), style))
        return Strip(segments).adjust_cell_length(width, ground)

    def _style_of(self, paint: Paint) -> Style:
        """Return the paint on this widget's background."""
        ground = self.background_colors[1]
        if paint.background:
            ground += self._color(paint.background, paint.background_share)
        style = self._ground + Style(bgcolor=ground.rich_color, bold=paint.bold or None)
        if paint.color:
            style += Style(color=(ground + self._color(paint.color, paint.share)).rich_color)
        return style

    def _color(self, name: str, share: float) -> Color:
        return Color.parse(self.app.theme_variables[name]).multiply_alpha(share)

    def _background(self, under: str) -> Style:
        return Style(bgcolor=self._style_of(PAINTS[under]).bgcolor) if under else Style.null()
