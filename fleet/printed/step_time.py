"""Seconds per step, measured from when the steps were printed."""

from __future__ import annotations

#: Changes of the step that are measured over.
_MARKS = 10


class StepTime:
    """Fed with the steps as they are printed."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def clear(self) -> None:
        """Forget what was measured: another bar counts from now on."""
        self._marks = []

    def add(self, step: int, at: float) -> None:
        """Add a step that was printed ``at`` (Unix seconds)."""
        if not self._marks or self._marks[-1][1] != step:
            self._marks = [*self._marks[1 - _MARKS :], (at, step)]

    @property
    def seconds(self) -> float | None:
        """Seconds per step since the oldest of the last changes, None when that is not known."""
        if len(self._marks) < 2:
            return None
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        return (ended - began) / (last - first) if last > first and ended > began else None
