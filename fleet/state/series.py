"""Bounded histories: the newest values of something, or the whole of something at a coarser step."""

from __future__ import annotations

from msgspec import Struct

#: Number of samples that a sparkline can show, one per second.
RECENT = 60
#: Points a curve holds before it keeps only every second one.
CURVE = 512


def recent(values: tuple[float, ...], value: float, limit: int = RECENT) -> tuple[float, ...]:
    """Return ``values`` with ``value`` added, without the oldest above ``limit``."""
    return (*values[-(limit - 1) :], value)


class Curve(Struct, frozen=True):
    """A function of the step over a whole run, in at most CURVE points: (step, value), oldest first.

    When it is full, every second point is dropped; from then on only every 2nd, 4th, 8th ... value is added,
    so a run of a million steps keeps its shape and its first point. The newest value is ``last``.
    """

    points: tuple[tuple[float, float], ...] = ()
    last: tuple[float, float] | None = None
    stride: int = 1
    count: int = 0

    def after(self, step: float, value: float) -> Curve:
        """Return the curve with one more value; a step that runs backwards cuts what it repeats."""
        points, stride = self.points, self.stride
        if points and step <= points[-1][0]:
            points = tuple(point for point in points if point[0] < step)
        if self.count % stride == 0:
            points = (*points, (step, value))
            if len(points) > CURVE:
                points, stride = points[::2], stride * 2
        return Curve(points, (step, value), stride, self.count + 1)

    @property
    def drawn(self) -> tuple[tuple[float, float], ...]:
        """The points to draw: those kept and the newest."""
        if self.last is None or (self.points and self.points[-1][0] == self.last[0]):
            return self.points
        return (*self.points, self.last)
