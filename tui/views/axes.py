"""Scales with round numbers: of a quantity with its unit, and of a stretch of time."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from msgspec import Struct

from tui.rendering.units import local_time

_TIME_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800)
#: Values and moments beyond these are of no use to a chart, and overflow.
_MOST = 1e18
_LAST_MOMENT = 1e11
#: Quantities whose interesting part is far from nothing.
_AFLOAT = ("°C", "MHz")


class Scale(Struct, frozen=True):
    """From ``low`` to ``high`` in round steps."""

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> Sequence[float]:
        """The round values from low to high."""
        count = round((self.high - self.low) / self.step)
        return [self.low + self.step * number for number in range(count + 1)]


def scale(low: float, high: float, unit: str, ticks: int) -> Scale:
    """Return a scale that holds ``low`` to ``high`` in at most about ``ticks`` steps."""
    if unit == "percent":
        return Scale(0.0, 100.0, 25.0 if ticks >= 4 else 50.0)
    # Of a file that another program can have written.
    low, high = (value if -_MOST < value < _MOST else 0.0 for value in (low, high))
    base = 1024.0 ** max(0, math.floor(math.log(max(high, 1), 1024))) if unit.startswith("bytes") else 1.0
    bottom = low if unit in _AFLOAT else 0.0
    step = _round_step(max((high - bottom) / base, 1e-9) / max(1, ticks)) * base
    if unit in _AFLOAT:
        step = max(step, 1.0)
    bottom = math.floor(bottom / step) * step
    return Scale(bottom, max(math.ceil(high / step) * step, bottom + step), step)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)


def moments(start: float, end: float, most: int) -> list[tuple[float, str]]:
    """Return at most ``most`` round times between two, in local time."""
    span = end - start
    if not 0 < start < end < _LAST_MOMENT:
        return []
    step = next((step for step in _TIME_STEPS if span / step <= most), _TIME_STEPS[-1])
    offset = time.localtime(start).tm_gmtoff
    first = math.ceil((start + offset) / step) * step - offset
    form = "%H:%M" if step >= 60 else "%H:%M:%S"
    return [
        (first + number * step, local_time(first + number * step, form))
        for number in range(int((end - first) // step) + 1)
    ]
