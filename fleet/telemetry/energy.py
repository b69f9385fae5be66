"""Energy of a node's GPUs while a run is on: from the boards' own counters, else from their power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.wire.telemetry import Sample

#: A longer gap between two samples is not filled with guesses.
_LONGEST_GAP = 10.0
_JOULES_PER_KWH = 3.6e6


class EnergyMeter:
    """Adds up the joules of each GPU of one node."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float | None, float | None]] = {}
        self._joules: dict[int, float] = {}

    @property
    def joules(self) -> float:
        """All GPUs so far."""
        return sum(self._joules.values())

    @property
    def kept(self) -> dict[str, list[float | None]]:
        """What :meth:`resume` needs, as JSON: GPU -> joules, and its last time, power and counter."""
        return {str(index): [self._joules.get(index, 0.0), *last] for index, last in self._last.items()}

    def resume(self, kept: Mapping[str, Sequence[float | None]]) -> None:
        """Continue from the state of another meter of this node; a counter includes energy used since."""
        for index, (joules, at, power, counter) in kept.items():
            self._joules[int(index)] = joules or 0.0
            self._last[int(index)] = (at or 0.0, power, counter)

    def add(self, at: float, sample: Sample) -> None:
        """Add what was used since the sample before."""
        if sample.get("stale"):
            return
        for gpu in sample["gpus"]:
            index = gpu["index"]
            power, counter = gpu.get("power"), gpu.get("energy")
            before = self._last.get(index)
            self._last[index] = (at, power, counter)
            if before is not None:
                self._joules[index] = self._joules.get(index, 0.0) + _used(before, at, power, counter)


def cost(joules: float, price_per_kwh: float | None) -> float | None:
    """Return what the energy costs, None without a price."""
    return None if price_per_kwh is None else joules / _JOULES_PER_KWH * price_per_kwh


def _used(
    before: tuple[float, float | None, float | None], at: float, power: float | None, counter: float | None
) -> float:
    then, power_before, counter_before = before
    # A counter restarts at 0 when the driver is loaded again.
    if counter is not None and counter_before is not None and counter >= counter_before:
        return counter - counter_before
    powers = [value for value in (power_before, power) if value is not None]
    if not powers or not 0 < at - then <= _LONGEST_GAP:
        return 0.0
    return sum(powers) / len(powers) * (at - then)
