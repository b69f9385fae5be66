"""The load over time, over whatever mode it was asked for in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from fleet.telemetry.metrics import METRICS
from tui import actions
from tui.acting import Acting
from tui.charted import SPANS, Charted, Drawn, Source, drawn
from tui.units import duration
from tui.views import chart as view
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.paint import Span, wrap
from tui.widgets.table import Table

#: Seconds between two drawings while the chart follows.
TICK = 1.0
#: And at most, however far it is zoomed out: the newest values stand below it.
SLOWEST = 10.0


class ChartScreen(ModalScreen[None]):
    """A chart of one quantity, a curve for each node or, of one node, for each GPU; zooms and moves."""

    BINDINGS: ClassVar[list[BindingType]] = actions.bindings("chart")

    DEFAULT_CSS = """
    ChartScreen { background: $background; }
    ChartScreen #title { height: 1; padding: 0 1; background: $panel; }
    ChartScreen #chart { height: 1fr; padding: 0 1; overflow: hidden; }
    ChartScreen #curves { height: 2; background: $surface; }
    """

    def __init__(self, console: Acting, charted: Charted, nodes: Sequence[str]) -> None:
        super().__init__()
        self._console_app = console
        self._charted = charted
        self._names = nodes
        self._source = Source(console.operations.history, console.engine.sampled)
        self._drawn: Drawn | None = None
        self._trouble = ""
        self._table_height = 0
        # One reading at a time; what was asked for meanwhile comes after it.
        self._reading = self._again = False

    def compose(self) -> ComposeResult:
        """Title, chart, curves, keys."""
        yield Lines(id="title")
        yield Lines(id="chart")
        yield Table(id="curves")
        yield KeyBar(self._console_app.texts)

    def on_mount(self) -> None:
        """Draw, and go on drawing while the clock is followed."""
        self.query_one(Table).focus()
        self.call_after_refresh(self._look)
        self.set_interval(TICK, self._tick)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._look)

    def _tick(self) -> None:
        if self._charted.live and self._charted.end is None and self.is_current and self._is_due():
            self._look()

    def _is_due(self) -> bool:
        """Return whether enough time has passed to move what is seen: of hours, a second moves nothing."""
        if self._drawn is None:
            return True
        column = self._drawn.stretch.span / view.dots_across(self.query_one("#chart", Lines).room)
        return self._console_app.clock() - self._drawn.stretch.end >= min(column, SLOWEST)

    def _look(self) -> None:
        """Read and reduce beside the screen: hours of many GPUs take their time."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        chart, charted, names = self.query_one("#chart", Lines), self._charted, self._names
        now, points = self._console_app.clock(), view.dots_across(chart.room)

        def read() -> None:
            trouble, found = "", None
            try:
                found = drawn(charted, self._source.histories(charted, names), now, points)
            except OSError as error:
                trouble = str(error)
            self._console_app.call_from_thread(self._have, charted, found, trouble)

        self.run_worker(read, thread=True, group="chart", exit_on_error=False)

    def _have(self, charted: Charted, found: Drawn | None, trouble: str) -> None:
        self._reading = False
        if not self.is_attached:
            return
        if charted == self._charted:
            self._drawn, self._trouble = found, trouble
            self._draw()
        if self._again:
            self._look()

    def _draw(self) -> None:
        texts, charted, found = self._console_app.texts, self._charted, self._drawn
        chart, table = self.query_one("#chart", Lines), self.query_one(Table)
        self.query_one("#title", Lines).show([self._title()])
        unit = charted.shown.unit
        curves = found.curves if found is not None else ()
        names = [curve.name for curve in curves]
        if table.cursor not in names:
            table.cursor = names[0] if names else ""
        table.show(view.rows(curves, table.cursor, unit), view.columns(texts, unit, names))
        height = min(len(curves) + 1, max(4, self.size.height * 35 // 100))
        if height != self._table_height:
            # Set only when it changes: it lays the screen out anew, and then the chart has another size.
            self._table_height = height
            table.styles.height = height
            self.call_after_refresh(self._look)
        if found is None or not curves:
            told = (
                texts("chart.unreadable", error=texts.said(self._trouble))
                if self._trouble
                else texts("chart.none")
            )
            style = "fail" if self._trouble else "muted"
            chart.show([[], *([(text, style)] for text in wrap(told, max(20, chart.room)))])
        else:
            chart.show(view.chart(curves, table.cursor, found.stretch, unit, chart.room, chart.size.height))

    def _title(self) -> list[Span]:
        texts, charted = self._console_app.texts, self._charted
        spans: list[Span] = [(texts(f"metric.{charted.shown.key}"), "title")]
        spans.append((f"  {charted.node or texts('chart.all_nodes')}", "strong"))
        spans.append((f"  {duration(SPANS[charted.span])}", "text"))
        if charted.live and charted.end is None:
            spans.append((f"  ▶ {texts('chart.live')}", "ok"))
        elif charted.end is not None:
            spans.append((f"  ■ {texts('chart.stands')}", "warn"))
        if self._drawn is not None:
            day = time.strftime("%Y-%m-%d", time.localtime(self._drawn.stretch.end))
            spans.append((f"  {day}", "muted"))
        if charted.run:
            spans.append((f"  {texts('chart.run', run=charted.run)}", "muted"))
        return spans

    def on_table_moved(self) -> None:
        """Light the other curve."""
        if self._drawn is not None:
            self._draw()

    def on_table_opened(self, event: Table.Opened) -> None:
        """Go from the nodes to the GPUs of one."""
        if not self._charted.node:
            self._change(replace(self._charted, node=event.key))

    def _change(self, charted: Charted) -> None:
        if charted != self._charted:
            self._charted = charted
            self._look()

    def action_chart_metric(self) -> None:
        """Show the next quantity."""
        self._change(replace(self._charted, metric=(self._charted.metric + 1) % len(METRICS)))

    def action_chart_previous_metric(self) -> None:
        """Show the previous quantity."""
        self._change(replace(self._charted, metric=(self._charted.metric - 1) % len(METRICS)))

    def action_chart_zoom_in(self) -> None:
        """Show less time, in more detail."""
        self._zoom(self._charted.span - 1)

    def action_chart_zoom_out(self) -> None:
        """Show more time."""
        self._zoom(self._charted.span + 1)

    def _zoom(self, span: int) -> None:
        if not 0 <= span < len(SPANS):
            return
        end = self._charted.end
        if end is not None:
            # About the middle, so that what a person looks at stays in view.
            end += (SPANS[span] - SPANS[self._charted.span]) / 2
        self._change(replace(self._charted, span=span, end=self._within(end)))

    def action_chart_earlier(self) -> None:
        """Go back by a third of what is seen."""
        self._move(-1)

    def action_chart_later(self) -> None:
        """Go on by a third of what is seen, at the end: follow again."""
        self._move(1)

    def _move(self, direction: int) -> None:
        if self._drawn is not None:
            end = self._drawn.stretch.end + direction * SPANS[self._charted.span] / 3
            self._change(replace(self._charted, end=self._within(end)))

    def _within(self, end: float | None) -> float | None:
        """Return an end that has something to show; None at or beyond the last sample."""
        found = self._drawn
        if end is None or found is None or end >= found.last:
            return None
        return max(end, min(found.last, found.first + SPANS[self._charted.span] / 3))

    def action_chart_follow(self) -> None:
        """Go to the newest and follow it."""
        self._change(replace(self._charted, end=None))

    def action_chart_whole(self) -> None:
        """Show everything that is kept."""
        if self._drawn is not None:
            length = self._drawn.last - self._drawn.first
            span = next((i for i, span in enumerate(SPANS) if span >= length), len(SPANS) - 1)
            self._change(replace(self._charted, span=span, end=None))

    def action_chart_back(self) -> None:
        """Go from one node's GPUs back to the nodes, from there to the mode below."""
        if self._charted.node and len(self._names) > 1:
            self.query_one(Table).cursor = self._charted.node
            self._change(replace(self._charted, node=""))
        else:
            self.dismiss()
