"""A chart over time: curves in braille dots, two by four to a cell, with axes for times and units.

One curve is lit, the others stand dim behind it: that needs no colour to be read, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace
from rich.cells import cell_len

from agent.wire.message import message
from agent.wire.quantity import Unit
from fleet.telemetry.history import Bucket
from tui.i18n import Texts
from tui.rendering.rows import Column, Row
from tui.rendering.spans import Span, Spans, fit
from tui.rendering.table_columns import TableColumn, row_of
from tui.rendering.table_columns import columns as table_columns
from tui.rendering.units import quantity_text
from tui.state.chart_data import Curve, Stretch
from tui.views.axes import Scale, moments, scale
from tui.views.plot import DOTS, line

#: Cells left of the chart: the quantity and the axis.
LABEL = 12
#: Cells between two times on the axis.
_MOMENT = 14
#: A longer silence is a gap and no straight line, in seconds.
_GAP = 10.0


def dots_across(width: int) -> int:
    """Return how many columns of dots a chart of ``width`` cells has."""
    return max(2, (width - LABEL) * 2)


def chart(
    curves: Sequence[Curve], lit: str, stretch: Stretch, unit: Unit, width: int, height: int
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
    ticks = {grid.row_of(value): quantity_text(value, unit) for value in axis.ticks}
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
    """Dots of a chart, which of its cells are lit, and their lines as spans."""

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
        """Yield each row, with a faint line in those that are ``ruled``."""
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
    """Return the time axis and the times below it."""
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


class CurveItem(NamedTuple):
    """What a row of the table below the chart shows: a curve, whether it is highlighted, and its unit."""

    curve: Curve
    lit: bool
    unit: Unit

    @property
    def seen(self) -> list[Bucket]:
        """The buckets of the stretch that is shown."""
        return [bucket for bucket in self.curve.buckets if bucket is not None]


def _curve_name(item: CurveItem, texts: Texts) -> Spans:
    return [(f"{'━' if item.lit else '╌'} {item.curve.name}", "busy" if item.lit else "muted")]


def _figure(value: Callable[[Sequence[Bucket]], float]) -> Callable[[CurveItem, Texts], Spans]:
    """Return the cell of a figure over the stretch that is shown."""
    return lambda item, texts: (
        [(quantity_text(value(seen), item.unit), "text")] if (seen := item.seen) else []
    )


#: Every column of the table below the chart. The widths are those of the shortest names and units.
COLUMNS: Final[tuple[TableColumn[CurveItem], ...]] = (
    TableColumn("name", message("chart-column.name", "Curve"), _curve_name, 12),
    TableColumn(
        "newest",
        message("chart-column.newest", "Now"),
        lambda item, texts: [(quantity_text(item.curve.newest, item.unit), "strong")],
        9,
        align="right",
    ),
    TableColumn(
        "low",
        message("chart-column.low", "Lowest"),
        _figure(lambda seen: min(bucket.low for bucket in seen)),
        9,
        align="right",
        order=1,
    ),
    TableColumn(
        "mean",
        message("chart-column.mean", "Mean"),
        _figure(lambda seen: sum(bucket.mean for bucket in seen) / len(seen)),
        9,
        align="right",
        order=2,
    ),
    TableColumn(
        "high",
        message("chart-column.high", "Highest"),
        _figure(lambda seen: max(bucket.high for bucket in seen)),
        9,
        align="right",
        order=3,
    ),
)


def columns(texts: Texts, unit: Unit, names: Sequence[str]) -> list[Column]:
    """Return the columns of the table below the chart, as wide as names and unit require."""
    name = min(32, max([12, *(cell_len(name) + 2 for name in names)]))
    figure = 11 if unit.startswith("bytes") else 9
    return table_columns(
        [replace(column, width=name if column.key == "name" else figure) for column in COLUMNS], texts
    )


def rows(curves: Sequence[Curve], lit: str, unit: Unit, texts: Texts) -> list[Row]:
    """Return for each curve its newest value and what it was in the stretch that is shown."""
    return [row_of(curve.name, CurveItem(curve, curve.name == lit, unit), COLUMNS, texts) for curve in curves]
