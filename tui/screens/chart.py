"""The load over time, on top of the current mode."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.screen import ModalScreen

from agent.wire.message import message
from fleet.telemetry.metrics import METRICS
from tui.keys.action import ActionOwner, action
from tui.rendering.spans import Span, wrap
from tui.rendering.units import duration, local_time
from tui.state.chart_data import SPANS, ChartData, ChartQuery, HistorySource, chart_data
from tui.state.session import Session
from tui.views import chart as view
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.table import Table

#: Seconds between two drawings while the chart follows.
TICK = 1.0
#: And at most, at any zoom: the newest values are below it.
SLOWEST = 10.0


def chart_screen(session: Session, run: str, node: str) -> ChartScreen:
    """Return the chart of a run's load, or, without a run, of what this console samples."""
    state = session.engine.state
    known = state.runs.get(run)
    live = not run or (known is not None and known.active)
    names = dict.fromkeys(session.operations.sampled(run) if run else ())
    names |= dict.fromkeys(name for name in state.nodes if live and state.nodes[name].sampled is not None)
    query = ChartQuery(run, live, node if node in names else "")
    return ChartScreen(session, query, list(names))


class ChartScreen(ActionOwner, ModalScreen[None]):
    """A chart of one quantity, a curve for each node or, of one node, for each GPU; zooms and moves."""

    DEFAULT_CSS = """
    ChartScreen { background: $background; }
    ChartScreen #title { height: 1; padding: 0 1; background: $panel; }
    ChartScreen #chart { height: 1fr; padding: 0 1; overflow: hidden; }
    ChartScreen #curves { height: 2; background: $surface; }
    """

    def __init__(self, session: Session, query: ChartQuery, nodes: Sequence[str]) -> None:
        super().__init__()
        self._session = session
        self._chart_query = query
        self._names = nodes
        self._source = HistorySource(session.operations.history, session.engine.sampled)
        self._chart_data: ChartData | None = None
        self._trouble = ""
        self._table_height = 0
        # One reading at a time; a request in the meantime follows it.
        self._reading = self._again = False

    def compose(self) -> ComposeResult:
        """Title, chart, curves, keys."""
        yield Lines(id="title")
        yield Lines(id="chart")
        yield Table(id="curves")
        yield KeyBar(self._session.texts)

    def on_mount(self) -> None:
        """Draw, and keep drawing while the chart follows the clock."""
        self.query_one(Table).focus()
        self.call_after_refresh(self._read_and_draw)
        self.set_interval(TICK, self._tick)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._read_and_draw)

    def _tick(self) -> None:
        if self._chart_query.live and self._chart_query.end is None and self.is_current and self._is_due():
            self._read_and_draw()

    def _is_due(self) -> bool:
        """Return whether enough time has passed to move what is seen: of hours, a second moves nothing."""
        if self._chart_data is None:
            return True
        column = self._chart_data.stretch.span / view.dots_across(self.query_one("#chart", Lines).room)
        return self._session.clock() - self._chart_data.stretch.end >= min(column, SLOWEST)

    def _read_and_draw(self) -> None:
        """Read and reduce on a thread: hours of many GPUs take time."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        chart, query, names = self.query_one("#chart", Lines), self._chart_query, self._names
        app, now, points = self.app, self._session.clock(), view.dots_across(chart.room)

        # Without a GPU, the chart opens at a metric that the nodes have.
        opening = self._chart_data is None

        def read() -> None:
            shown, trouble, found = query, "", None
            try:
                if opening:
                    shown = self._source.first_measured(query, names)
                found = chart_data(shown, self._source.histories(shown, names), now, points)
            except OSError as error:
                trouble = str(error)
            app.call_from_thread(self._show_read, query, shown, found, trouble)

        self.run_worker(read, thread=True, group="chart", exit_on_error=False)

    def _show_read(self, asked: ChartQuery, shown: ChartQuery, found: ChartData | None, trouble: str) -> None:
        self._reading = False
        if not self.is_attached:
            return
        if asked == self._chart_query:
            self._chart_query, self._chart_data, self._trouble = shown, found, trouble
            self._draw()
        if self._again:
            self._read_and_draw()

    def _draw(self) -> None:
        texts, query, found = self._session.texts, self._chart_query, self._chart_data
        chart, table = self.query_one("#chart", Lines), self.query_one(Table)
        self.query_one("#title", Lines).show([self._title()])
        unit = query.shown.unit
        curves = found.curves if found is not None else ()
        names = [curve.name for curve in curves]
        if table.cursor not in names:
            table.cursor = names[0] if names else ""
        table.show(view.rows(curves, table.cursor, unit, texts), view.columns(texts, unit, names))
        height = min(len(curves) + 1, max(4, self.size.height * 35 // 100))
        if height != self._table_height:
            # Set only when it changes: it lays the screen out again, and then the chart has another size.
            self._table_height = height
            table.styles.height = height
            self.call_after_refresh(self._read_and_draw)
        if found is None or not curves:
            text = (
                texts("chart.unreadable", error=texts.translate(self._trouble))
                if self._trouble
                else texts("chart.none")
            )
            style = "fail" if self._trouble else "muted"
            chart.show([[], *([(line, style)] for line in wrap(text, max(20, chart.room)))])
        else:
            chart.show(view.chart(curves, table.cursor, found.stretch, unit, chart.room, chart.size.height))

    def _title(self) -> list[Span]:
        texts, query = self._session.texts, self._chart_query
        spans: list[Span] = [(texts.translate(query.shown.title), "title")]
        spans.append((f"  {query.node or texts('chart.all_nodes')}", "strong"))
        spans.append((f"  {duration(SPANS[query.span])}", "text"))
        if query.live and query.end is None:
            spans.append((f"  ▶ {texts('chart.live')}", "ok"))
        elif query.end is not None:
            spans.append((f"  ■ {texts('chart.stands')}", "warn"))
        if self._chart_data is not None:
            day = local_time(self._chart_data.stretch.end, "%Y-%m-%d")
            spans.append((f"  {day}", "muted"))
        if query.run:
            spans.append((f"  {texts('chart.run', run=query.run)}", "muted"))
        return spans

    def on_table_moved(self) -> None:
        """Light the other curve."""
        if self._chart_data is not None:
            self._draw()

    def on_table_opened(self, event: Table.Opened) -> None:
        """Go from the nodes to the GPUs of one."""
        if not self._chart_query.node:
            self._change(replace(self._chart_query, node=event.key))

    def _change(self, query: ChartQuery) -> None:
        if query != self._chart_query:
            self._chart_query = query
            self._read_and_draw()

    @action(
        "m",
        label=message("action.chart.metric", "Metric"),
        help=message(
            "action-help.chart.metric", "Show the next metric: load, memory, power, temperature, network ..."
        ),
        bar=10,
        palette=False,
    )
    def action_chart_metric(self) -> None:
        """Show the next quantity."""
        self._change(replace(self._chart_query, metric=(self._chart_query.metric + 1) % len(METRICS)))

    @action(
        "M",
        label=message("action.chart.previous-metric", "Previous"),
        help=message("action-help.chart.previous-metric", "Show the previous metric"),
        palette=False,
    )
    def action_chart_previous_metric(self) -> None:
        """Show the previous quantity."""
        self._change(replace(self._chart_query, metric=(self._chart_query.metric - 1) % len(METRICS)))

    @action(
        "plus",
        "equals_sign",
        label=message("action.chart.zoom-in", "Zoom in"),
        help=message("action-help.chart.zoom-in", "Show less time in more detail"),
        bar=11,
        palette=False,
    )
    def action_chart_zoom_in(self) -> None:
        """Show less time, in more detail."""
        self._zoom(self._chart_query.span - 1)

    @action(
        "minus",
        label=message("action.chart.zoom-out", "Zoom out"),
        help=message("action-help.chart.zoom-out", "Show more time"),
        bar=12,
        palette=False,
    )
    def action_chart_zoom_out(self) -> None:
        """Show more time."""
        self._zoom(self._chart_query.span + 1)

    def _zoom(self, span: int) -> None:
        if not 0 <= span < len(SPANS):
            return
        end = self._chart_query.end
        if end is not None:
            # Around the middle, so that it stays in view.
            end += (SPANS[span] - SPANS[self._chart_query.span]) / 2
        self._change(replace(self._chart_query, span=span, end=self._within(end)))

    @action(
        "left",
        "h",
        label=message("action.chart.earlier", "Earlier"),
        help=message("action-help.chart.earlier", "Go back in time"),
        bar=13,
        palette=False,
    )
    def action_chart_earlier(self) -> None:
        """Go back by a third of what is seen."""
        self._move(-1)

    @action(
        "right",
        "l",
        label=message("action.chart.later", "Later"),
        help=message("action-help.chart.later", "Go forward in time; at the end, follow"),
        bar=14,
        palette=False,
    )
    def action_chart_later(self) -> None:
        """Move forward by a third of the visible time; at the end, follow again."""
        self._move(1)

    def _move(self, direction: int) -> None:
        if self._chart_data is not None:
            end = self._chart_data.stretch.end + direction * SPANS[self._chart_query.span] / 3
            self._change(replace(self._chart_query, end=self._within(end)))

    def _within(self, end: float | None) -> float | None:
        """Return an end with samples before it; None at or after the last sample."""
        found = self._chart_data
        if end is None or found is None or end >= found.last:
            return None
        return max(end, min(found.last, found.first + SPANS[self._chart_query.span] / 3))

    @action(
        "f",
        label=message("action.chart.follow", "Follow"),
        help=message("action-help.chart.follow", "Go to the newest value and follow it"),
        bar=15,
        palette=False,
    )
    def action_chart_follow(self) -> None:
        """Go to the newest and follow it."""
        self._change(replace(self._chart_query, end=None))

    @action(
        "a",
        label=message("action.chart.whole", "All"),
        help=message("action-help.chart.whole", "Show the whole history"),
        bar=16,
        palette=False,
    )
    def action_chart_whole(self) -> None:
        """Show everything that is kept."""
        if self._chart_data is not None:
            length = self._chart_data.last - self._chart_data.first
            span = next((i for i, span in enumerate(SPANS) if span >= length), len(SPANS) - 1)
            self._change(replace(self._chart_query, span=span, end=None))

    @action(
        "escape",
        "q",
        "L",
        label=message("action.chart.back", "Back"),
        help=message(
            "action-help.chart.back", "From a node's GPUs to the nodes, from there back to the mode"
        ),
        bar=91,
        palette=False,
    )
    def action_chart_back(self) -> None:
        """Go from one node's GPUs back to the nodes, from there to the mode below."""
        if self._chart_query.node and len(self._names) > 1:
            self.query_one(Table).cursor = self._chart_query.node
            self._change(replace(self._chart_query, node=""))
        else:
            self.dismiss()
