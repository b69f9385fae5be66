"""The smoothed rate of a copy, and how often it is reported."""

from __future__ import annotations

import math
from collections.abc import Callable

#: Seconds over which the rate is smoothed.
_SMOOTHING = 3.0


class Pace:
    """The rate of one copy of ``total`` bytes; ``clock`` gives monotonic seconds."""

    def __init__(self, total: int, clock: Callable[[], float], *, interval: float = 0.1) -> None:
        self._total = total
        self._clock = clock
        self._interval = interval
        self._begun = self._seen = clock()
        self._reported = -math.inf
        self._done = 0
        self._rate: float | None = None

    def advance(self, done: int) -> bool:
        """Update the bytes done so far; return whether to report: first, then every ``interval`` seconds."""
        now = self._clock()
        passed = now - self._seen
        # Several pieces fall into one tick of the clock: wait until the difference means something.
        if passed >= self._interval / 2:
            current = (done - self._done) / passed
            weight = 1 - math.exp(-passed / _SMOOTHING)
            self._rate = current if self._rate is None else self._rate + weight * (current - self._rate)
            self._seen, self._done = now, done
        if now - self._reported < self._interval:
            return False
        self._reported = now
        return True

    @property
    def rate(self) -> float:
        """Bytes per second, 0 while unknown."""
        return self._rate or 0.0

    @property
    def eta(self) -> float | None:
        """Seconds to the end at this rate, None while unknown."""
        return (self._total - self._done) / self._rate if self._rate else None

    def finish(self, done: int) -> None:
        """The copy has ended: from now on the rate is that of the whole."""
        self._done = done
        self._rate = done / max(self._clock() - self._begun, 1e-3)
