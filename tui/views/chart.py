"""A chart over time: curves in braille dots, two by four to a cell, with axes that say times and units.

One curve is lit, the others stand dim behind it: that needs no colour to be read, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from fleet.frozen import frozen
from tui.i18n import Texts
from tui.views.axes import Scale, moments, quantity, scale
from tui.views.plot import DOTS, line
from tui.widgets.paint import Span, Spans, fit
from tui.widgets.table import Column, Row

if TYPE_CHECKING:
    from fleet.telemetry.history import Bucket

#: Cells left of the chart: the quantity and the axis.
LABEL = 12
#: Cells between two moments on the axis.
_MOMENT = 14
#: A longer silence is a gap and no straight line, in seconds.
_GAP = 10.0


@frozen
class Curve:
    """What was measured of one node or GPU, in as many buckets as there are columns of dots."""

    name: str
    buckets: Sequence[Bucket | None]
    newest: float | None = None


@frozen
class Stretch:
    """From when to when the chart shows, in Unix seconds."""

    start: float
    end: float

    @property
    def span(self) -> float:
        """Seconds."""
        return self.end - self.start


def dots_across(width: int) -> int:
    """Return how many columns of dots a chart of ``width`` cells has."""
    return max(2, (width - LABEL) * 2)


def chart(
    curves: Sequence[Curve], lit: str, stretch: Stretch, unit: str, width: int, height: int
) -> list[Spans]:
    """Return the chart in ``width`` by ``height`` cells; empty where there is no room for one."""
    columns, rows = width - LABEL, height - 2
    if columns < 10 or rows < 3:
        return []
    values = [bucket for curve in curves for bucket in curve.buckets if bucket is not None]
    low = min((bucket.low for bucket in values), default=0.0)
    high = max((bucket.high for bucket in values), default=1.0)
    axis = scale(low, high, unit, max(2, rows // 3))
    grid = _Grid(columns, rows, axis)
    reach = max(2, math.ceil(_GAP / (stretch.span / (columns * 2))))
    for curve in sorted(curves, key=lambda curve: curve.name == lit):
        grid.draw(curve, curve.name == lit, reach)
    ticks = {grid.row_of(value): quantity(value, unit) for value in axis.ticks}
    lines: list[Spans] = [
        [
            (fit(ticks.get(row, ""), LABEL - 2, "right") + " ", "muted"),
            ("┤" if row in ticks else "│", "faint"),
            *spans,
        ]
        for row, spans in enumerate(grid.spans(set(ticks)))
    ]
    return [*lines, *_times(stretch, columns)]


class _Grid:
    """Dots of a chart, which of its cells are lit, and how it is told as spans."""

    def __init__(self, columns: int, rows: int, axis: Scale) -> None:
        self._rows, self._axis = rows, axis
        self._dots = [[0] * columns for _ in range(rows)]
        self._lit = [[False] * columns for _ in range(rows)]

    def row_of(self, value: float) -> int:
        return self._down(value) // 4

    def _down(self, value: float) -> int:
        share = (self._axis.high - value) / (self._axis.high - self._axis.low)
        return round(max(0.0, min(1.0, share)) * (self._rows * 4 - 1))

    def draw(self, curve: Curve, lit: bool, reach: int) -> None:
        """Draw means joined by lines; of the lit curve all from lowest to highest."""
        before: tuple[int, int, int, int] | None = None
        for across, bucket in enumerate(curve.buckets):
            if bucket is None:
                continue
            here = (across, self._down(bucket.mean), self._down(bucket.high), self._down(bucket.low))
            joined = before if before is not None and across - before[0] <= reach else here
            for point in line((joined[0], joined[1]), (here[0], here[1])):
                self._put(*point, lit)
            if lit:
                top = dict(line((joined[0], joined[2]), (here[0], here[2])))
                bottom = dict(line((joined[0], joined[3]), (here[0], here[3])))
                for column, down in bottom.items():
                    for filled in range(top.get(column, down), down + 1):
                        self._put(column, filled, lit)
            before = here

    def _put(self, across: int, down: int, lit: bool) -> None:
        row, column = down // 4, across // 2
        if lit and not self._lit[row][column]:
            # A cell has one colour: what the lit curve passes through shows it alone.
            self._lit[row][column] = True
            self._dots[row][column] = 0
        self._dots[row][column] |= DOTS[down % 4][across % 2]

    def spans(self, ruled: set[int]) -> Iterator[list[Span]]:
        """Yield each row, with a faint line behind those that are ``ruled``."""
        for row, (dots, lit) in enumerate(zip(self._dots, self._lit, strict=True)):
            spans: list[Span] = []
            empty = "╌" if row in ruled else " "
            for dot, bright in zip(dots, lit, strict=True):
                text = chr(0x2800 + dot) if dot else empty
                style = "busy" if bright else "muted" if dot else "faint"
                if spans and spans[-1][1] == style:
                    spans[-1] = (spans[-1][0] + text, style)
                else:
                    spans.append((text, style))
            yield spans


def _times(stretch: Stretch, columns: int) -> list[Spans]:
    """Return the time axis and the moments below it."""
    axis, labels = ["─"] * columns, ""
    for moment, text in moments(stretch.start, stretch.end, max(1, columns // _MOMENT)):
        column = min(columns - 1, int((moment - stretch.start) / stretch.span * columns))
        start = max(0, column - len(text) // 2)
        if start + len(text) > columns or (labels and start <= len(labels)):
            continue
        axis[column] = "┬"
        labels = labels.ljust(start) + text
    return [
        [(" " * (LABEL - 1) + "└" + "".join(axis), "faint")],
        [(" " * LABEL + labels, "muted")],
    ]


def columns(texts: Texts, unit: str, names: Sequence[str]) -> list[Column]:
    """Return the columns of the table below the chart."""
    room = 11 if unit.startswith("bytes") else 9
    name = max([12, *(cell_len(name) + 2 for name in names)])
    return [
        Column("name", texts("chart.column.name"), min(32, name), 0),
        *(
            Column(key, texts(f"chart.column.{key}"), room, 0, "right", order)
            for order, key in enumerate(("newest", "low", "mean", "high"))
        ),
    ]


def rows(curves: Sequence[Curve], lit: str, unit: str) -> list[Row]:
    """Return for each curve its newest value and what it was in the stretch that is shown."""
    return [_row(curve, curve.name == lit, unit) for curve in curves]


def _row(curve: Curve, lit: bool, unit: str) -> Row:
    seen = [bucket for bucket in curve.buckets if bucket is not None]
    cells: dict[str, Spans] = {
        "name": [(f"{'━' if lit else '╌'} {curve.name}", "busy" if lit else "muted")],
        "newest": [(quantity(curve.newest, unit), "strong")],
    }
    if seen:
        mean = sum(bucket.mean for bucket in seen) / len(seen)
        for key, value in (
            ("low", min(bucket.low for bucket in seen)),
            ("mean", mean),
            ("high", max(bucket.high for bucket in seen)),
        ):
            cells[key] = [(quantity(value, unit), "text")]
    return Row(curve.name, cells)
