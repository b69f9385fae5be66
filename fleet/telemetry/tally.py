"""What a run used of one node so far: energy, and how much of its GPUs' time really went into training."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fleet.telemetry.energy import EnergyMeter
from fleet.telemetry.history import FOLDER
from fleet.telemetry.series import gpus_of
from fleet.telemetry.shares import training_share

FILE = "tally.json"
#: A longer gap between two samples counts as time at which nobody looked, in seconds.
_LONGEST_GAP = 10.0


class Tally:
    """Adds up the samples of one node while a run's processes are on it."""

    def __init__(self) -> None:
        self.energy = EnergyMeter()
        #: GPU-seconds of which the share that trains is known, and those that trained.
        self.known = 0.0
        self.trained = 0.0
        self._last: float | None = None

    @property
    def training(self) -> float | None:
        """Percent of the time of the GPUs with processes of the run; None when it could never be told."""
        return 100 * self.trained / self.known if self.known else None

    def take(self, at: float, sample: Mapping[str, Any], own: Collection[int]) -> None:
        """Add the sample; ``own`` are the run's process ids on the node."""
        self.energy.take(at, sample)
        passed, self._last = at - (at if self._last is None else self._last), at
        if sample.get("stale") or not 0 < passed <= _LONGEST_GAP:
            return
        for _, gpu in gpus_of(sample):
            share = training_share(gpu, own).percent
            if share is not None and any(item["pid"] in own for item in gpu.get("processes") or ()):
                self.known += passed
                self.trained += passed * share / 100


def read_tallies(run_folder: Path) -> dict[str, Tally]:
    """Return node -> tally as kept below a run's folder; empty when nothing usable is there."""
    try:
        kept = json.loads((run_folder / FOLDER / FILE).read_text("utf-8"))
        return {node: _tally(values) for node, values in kept.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_tallies(run_folder: Path, tallies: Mapping[str, Tally]) -> None:
    """Keep them below a run's folder, whole or not at all; raises OSError."""
    folder = run_folder / FOLDER
    kept = {
        node: {"energy": tally.energy.kept, "known": tally.known, "trained": tally.trained}
        for node, tally in tallies.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{FILE}.new"
    beside.write_text(json.dumps(kept, ensure_ascii=False) + "\n", "utf-8")
    beside.replace(folder / FILE)


def _tally(values: Mapping[str, Any]) -> Tally:
    tally = Tally()
    tally.energy.resume(values["energy"])
    tally.known, tally.trained = float(values["known"]), float(values["trained"])
    return tally
