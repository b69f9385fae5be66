"""The load of the nodes as the console keeps it: what it means now, and its newest half hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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
from tui.operations import Operations, Refused

if TYPE_CHECKING:
    from fleet.telemetry import History, Meaning, Meter
    from fleet.telemetry.ring import Ring

_TAKEN = (TelemetrySampled, MetricsSeen, RankStarted, RankExited, RunPlanned, RunFinished)


class Load:
    """Takes the engine's events. What it needs is imported at the first of them: no first frame waits."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._kept: tuple[Meter, Ring] | None = None
        self._meant: tuple[str, int, Meaning] | None = None

    def take(self, event: Event) -> Notice | None:
        """Take an event into account; returns what a person should know of a faulty telemetry.yaml."""
        if not isinstance(event, _TAKEN):
            return None
        trouble = self._open(event.at) if self._kept is None else None
        assert self._kept is not None
        meter, ring = self._kept
        meter.take(event)
        if isinstance(event, TelemetrySampled):
            ring.take(event)
        return trouble

    def meaning(self, run: str, now: float) -> Meaning | None:
        """Return what it all means for ``run``, worked out once a second; None before any event."""
        if self._kept is None:
            return None
        if self._meant is None or self._meant[:2] != (run, int(now)):
            self._meant = (run, int(now), self._kept[0].meaning(run))
        return self._meant[2]

    def history(self, node: str, wanted: Callable[[str], bool], after: float) -> History:
        """Return the newest samples of a node."""
        from fleet.telemetry import History

        return self._kept[1].history(node, wanted, after=after) if self._kept is not None else History()

    def _open(self, at: float) -> Notice | None:
        from fleet.telemetry.ring import Ring

        trouble: Notice | None = None
        try:
            self._operations.meter()
        except Refused as refused:
            trouble = Notice(at=at, level="warning", text=f"the usual limits hold: {refused}")
        self._kept = (meter_of(self._operations), Ring())
        return trouble


def meter_of(operations: Operations) -> Meter:
    """Return a new meter; one with the usual limits while the project's are faulty."""
    from fleet.telemetry import Meter

    try:
        return operations.meter()
    except Refused:
        return Meter()
