"""A plan that a run's network has drawn, over the mode."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.strip import Strip

from agent.wire.reasons import reason_of
from fleet.events import PlanDrawn
from transports.regular_files import read_regular
from tui.i18n import Texts
from tui.rendering.half_blocks import half_blocks
from tui.rendering.png import LARGEST, Picture, PictureError, read_png
from tui.widgets.plain import PlainLabel, set_titles
from tui.widgets.span_widget import SpanWidget


class PlanPicture(SpanWidget):
    """The picture in as many cells as there are."""

    can_focus = False

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self._picture = picture
        self._pixels: list[list[Segment]] = []

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._pixels = half_blocks(self._picture, self.size.width, self.size.height)
        self.virtual_size = Size(self.size.width, len(self._pixels))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line, in the middle."""
        ground, width = self.rich_style, self.size.width
        pixels = self._pixels[y] if y < len(self._pixels) else []
        space = Segment(" " * ((width - len(pixels)) // 2), ground)
        return Strip([space, *pixels]).adjust_cell_length(width, ground)


class PlanScreen(ModalScreen[None]):
    """The text, the plan, and where the file is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,space", "dismiss", show=False)]

    DEFAULT_CSS = """
    PlanScreen { align: center middle; background: $background 60%; }
    PlanScreen #plan { width: 76; max-width: 96%; height: 90%; background: $surface; padding: 0 1; }
    PlanScreen #plan { border: round $primary; border-title-color: $primary; }
    PlanScreen #plan { border-subtitle-color: $foreground 62%; }
    PlanScreen PlanPicture { height: 1fr; margin: 1 0; }
    PlanScreen Label { width: 1fr; max-height: 4; }
    PlanScreen .path { color: $foreground 62%; }
    """

    def __init__(self, drawn: PlanDrawn, texts: Texts) -> None:
        super().__init__()
        self._plan = drawn
        self._texts = texts

    def compose(self) -> ComposeResult:
        """Lay out text, picture and path."""
        with Vertical(id="plan") as panel:
            title = self._texts("draw.title", run=self._plan.run, node=self._plan.node)
            set_titles(panel, title, self._texts("help.close"))
            yield PlainLabel(self._plan.text)
            try:
                yield PlanPicture(read_png(read_regular(Path(self._plan.path), LARGEST)))
            except (OSError, PictureError) as error:
                yield PlainLabel(f"! {self._texts('draw.no_preview', why=reason_of(error))}")
            yield PlainLabel(self._texts("draw.saved", path=self._plan.path), classes="path")
