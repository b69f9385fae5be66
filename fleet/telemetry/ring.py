"""The newest samples of all nodes in memory: what a chart shows while it follows, with or without a run."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.events import TelemetrySampled
from fleet.telemetry.history import History
from fleet.telemetry.metrics import METRICS, metric_key
from fleet.telemetry.series import row_of

#: Samples of a node that stay: half an hour of one per second, in four bytes per value.
KEPT = 1800

_SHOWN = frozenset(metric.key for metric in METRICS)


@dataclass
class _Node:
    times: array[float] = field(default_factory=lambda: array("d"))
    columns: dict[str, array[float]] = field(default_factory=dict)


class Ring:
    """Bounded; returns copies."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._of: dict[str, _Node] = {}

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that have been sampled, in the order of their first sample."""
        return tuple(self._of)

    def add(self, event: TelemetrySampled) -> None:
        """Remember a sample."""
        node = self._of.setdefault(event.node, _Node())
        row = row_of(event.sample)
        before = len(node.times)
        node.times.append(event.at)
        for name in row:
            if name not in node.columns and metric_key(name) in _SHOWN:
                node.columns[name] = array("f", [math.nan]) * before
        for name, column in node.columns.items():
            value = row.get(name)
            column.append(math.nan if value is None else value)
        # In batches, since each deletion moves the rest.
        if before >= self._kept * 5 // 4:
            gone = before + 1 - self._kept
            del node.times[:gone]
            for column in node.columns.values():
                del column[:gone]

    def history(self, node: str, wanted: Callable[[str], bool], *, after: float = 0.0) -> History:
        """Return the samples of a node later than ``after``, of the series that are wanted."""
        found = self._of.get(node)
        if found is None:
            return History()
        start = bisect_right(found.times, after)
        return History(
            tuple(found.times[start:]),
            {
                name: tuple(None if math.isnan(value) else value for value in column[start:])
                for name, column in found.columns.items()
                if wanted(name)
            },
        )
