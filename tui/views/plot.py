"""A curve drawn with braille dots, two by four to a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tui.rendering.spans import Spans
from tui.rendering.units import number, share_of

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LABEL = 8


def plot(points: Sequence[tuple[float, float]], width: int, height: int) -> list[Spans]:
    """Return the curve through (x, y) points with its y range on the left and its x range below."""
    points = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    columns = width - _LABEL
    if not points or columns < 4 or height < 2:
        return []
    rows = height - 1
    left, right = points[0][0], points[-1][0]
    low, high = min(y for _, y in points), max(y for _, y in points)
    cells = [[0] * columns for _ in range(rows)]
    previous: tuple[int, int] | None = None
    for x, y in points:
        dot = (
            round(share_of(x, left, right) * (columns * 2 - 1)),
            round(share_of(y, high, low) * (rows * 4 - 1)),
        )
        for across, down in line(previous or dot, dot):
            cells[down // 4][across // 2] |= DOTS[down % 4][across % 2]
        previous = dot
    lines: list[Spans] = []
    for row, cell in enumerate(cells):
        label = number(high) if row == 0 else number(low) if row == rows - 1 else ""
        text = "".join(chr(0x2800 + dots) if dots else " " for dots in cell)
        lines.append([(f"{label:>{_LABEL - 2}} ", "muted"), ("│", "faint"), (text, "busy")])
    span = f"{number(left, 6)}{number(right, 6):>{columns - len(number(left, 6))}}"
    lines.append([(" " * (_LABEL - 1) + "└", "faint"), (span, "muted")])
    return lines


def line(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the dots of a straight line."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (round(start[0] + (end[0] - start[0]) * i / steps), round(start[1] + (end[1] - start[1]) * i / steps))
        for i in range(steps + 1)
    ]
