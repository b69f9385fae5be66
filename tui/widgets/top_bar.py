"""The first line: project, modes, links and the run."""

from __future__ import annotations

from textual import events
from textual.geometry import Size
from textual.strip import Strip

from fleet.state import FleetState
from tui.i18n import Texts
from tui.keys.action import MODES
from tui.operations.operation import Operation
from tui.rendering.spans import Span, fit, width_of
from tui.rendering.status import mark
from tui.rendering.units import duration
from tui.views.run import outcome
from tui.widgets.span_widget import SpanWidget


class TopBar(SpanWidget):
    """One line; the modes are clickable."""

    can_focus = False

    DEFAULT_CSS = "TopBar { height: 1; dock: top; background: $panel; overflow: hidden; }"

    def __init__(self, mode: str, project: str, texts: Texts) -> None:
        super().__init__()
        self._mode = mode
        self._project = project
        self._texts = texts
        self._state = FleetState()
        self._now = 0.0
        self._busy: tuple[str, ...] = ()
        self._read_only = False
        self._places: list[tuple[int, int, str]] = []

    def show(self, state: FleetState, now: float, running: frozenset[Operation], read_only: bool) -> None:
        """Draw the line for this state."""
        self._state, self._now, self._read_only = state, now, read_only
        self._busy = tuple(sorted(one for one in running if not one.rule.background))
        self.virtual_size = Size(self.size.width, 1)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line: what does not fit is left out from the left of the right part."""
        width = self.size.width
        right = self._right()
        tabs = self._tabs(long=width - width_of(right) >= 78)
        name: list[Span] = [(" dtui ", "here"), (" ", "text")]
        room = width - width_of(right) - width_of(tabs) - 8
        if room > 8:
            name.append((fit(self._project, min(24, room - 2)).rstrip() + "  ", "strong"))
        self._remember(width_of(name), tabs)
        left = [*name, *tabs]
        while right and width_of(left) + width_of(right) > width:
            right = right[1:]
        gap = max(0, width - width_of(left) - width_of(right))
        return self.strip([*left, (" " * gap, "text"), *right], width)

    def _tabs(self, long: bool) -> list[Span]:
        tabs: list[Span] = []
        for number, mode in enumerate(MODES, 1):
            here = mode == self._mode
            word = self._texts(f"mode.{mode}")
            tabs.append((f" {number}{f' {word}' if long or here else ''} ", "here" if here else "muted"))
        return tabs

    def _remember(self, start: int, tabs: list[Span]) -> None:
        self._places = []
        for (text, style), mode in zip(tabs, MODES, strict=True):
            end = start + width_of([(text, style)])
            self._places.append((start, end, mode))
            start = end

    def _right(self) -> list[Span]:
        state, texts = self._state, self._texts
        right: list[Span] = []
        if self._read_only:
            right.append((f"{texts('top.read_only')}  ", "warn"))
        if self._busy:
            right.append((f"◌ {' '.join(self._busy)}  ", "busy"))
        run = state.run
        if run is not None and self._mode != "monitor":
            word, style = mark("outcome", outcome(run), texts)
            right.append((f"{word} {duration((run.finished or self._now) - run.planned)}  ", style))
        if state.nodes:
            up = sum(node.link.state == "up" for node in state.nodes.values())
            bad = sum(node.link.state in ("failed", "lost") for node in state.nodes.values())
            if bad:
                right.append((f"✗ {texts('top.bad', count=bad)}  ", "fail"))
            right.append((f"● {texts('top.up', up=up, total=len(state.nodes))} ", "ok" if up else "muted"))
        return right

    async def on_click(self, event: events.Click) -> None:
        """Go to the mode that was clicked."""
        for start, end, mode in self._places:
            if start <= event.x < end:
                await self.run_action(f"app.app_{mode}")
