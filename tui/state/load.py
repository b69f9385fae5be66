"""The load of the nodes as the console keeps it: its summary, and the samples of the last half hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.wire.message import message
from fleet.events import (
    Event,
    MetricsSeen,
    Notice,
    RankExited,
    RankStarted,
    RunFinished,
    RunPlanned,
    TelemetrySampled,
)  # fmt: skip
from tui.operations.interface import Operations, RefusedError

if TYPE_CHECKING:
    from fleet.telemetry import History, LoadSummary, Meter
    from fleet.telemetry.ring import Ring

_ADDED = (TelemetrySampled, MetricsSeen, RankStarted, RankExited, RunPlanned, RunFinished)


class Load:
    """Summarizes the engine's events. Its imports happen at the first event, to keep the start fast."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._kept: tuple[Meter, Ring] | None = None
        self._latest: tuple[str, int, LoadSummary] | None = None

    def add(self, event: Event) -> Notice | None:
        """Add an event; returns a notice about a faulty telemetry.yaml."""
        if not isinstance(event, _ADDED):
            return None
        trouble = self._open(event.at) if self._kept is None else None
        assert self._kept is not None
        meter, ring = self._kept
        meter.add(event)
        if isinstance(event, TelemetrySampled):
            ring.add(event)
        return trouble

    def summary(self, run: str, now: float) -> LoadSummary | None:
        """Return the summary for ``run``, computed at most once per second; None before any event."""
        if self._kept is None:
            return None
        if self._latest is None or self._latest[:2] != (run, int(now)):
            self._latest = (run, int(now), self._kept[0].summary(run))
        return self._latest[2]

    def history(self, node: str, wanted: Callable[[str], bool], after: float) -> History:
        """Return the newest samples of a node."""
        from fleet.telemetry import History

        return self._kept[1].history(node, wanted, after=after) if self._kept is not None else History()

    def _open(self, at: float) -> Notice | None:
        from fleet.telemetry import Meter
        from fleet.telemetry.ring import Ring

        trouble: Notice | None = None
        try:
            meter = self._operations.meter()
        except RefusedError as refused:
            meter = Meter()
            trouble = Notice(
                at=at,
                level="warning",
                text=message(
                    "console.usual-limits", "the default limits are used: {reason}", reason=refused.what
                ),
            )
        self._kept = (meter, Ring())
        return trouble


def meter_of(operations: Operations) -> Meter:
    """Return a new meter; one with the default limits while the project's are faulty."""
    from fleet.telemetry import Meter

    try:
        return operations.meter()
    except RefusedError:
        return Meter()
