"""Which step records stay in ``events.jsonl`` for ever.

A run writes one record per rank and step, about 350 bytes each, without end: 1,000,000 steps of 4 ranks are
1.4 GB. All of them go into the record, but most into the output, whose oldest part is dropped. The lifecycle
events keep a selection with which the whole course of a run can still be drawn: every record at first, then
ever fewer, so that each doubling of the run adds the same number.
"""

from __future__ import annotations

import math

from fleet.events import MetricsSeen

#: Bytes of a short step record in the rank's own file.
_LINE = 64
#: Kinds of records that are few, and that a run is judged by.
_KEPT = frozenset(["phase", "ckpt", "eval", "exit"])


class StepThinning:
    """Decides per rank by the position in the rank's own file: another console continues there.

    ``kept`` is how many records of each rank are kept before thinning starts. From then on each doubling of
    the file adds about as many: ``kept * log2(1 + steps / kept)`` in total.
    """

    def __init__(self, kept: int) -> None:
        self._kept = max(1, kept)
        self._last: dict[int, int] = {}

    def keeps(self, event: MetricsSeen) -> bool:
        """Return whether the record belongs to the lifecycle events."""
        if event.record.kind in _KEPT:
            return True
        place = int(self._kept * math.log2(1 + max(0, event.end) / (self._kept * _LINE)))
        last, self._last[event.rank] = self._last.get(event.rank), place
        return place != last
