"""What a run used of one node so far: energy, and how much of its GPUs' time really went into training."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from agent.wire.frames import parse_json
from agent.wire.telemetry import Sample
from fleet.file_replacement import replace_file
from fleet.private_files import make_folder, read_private
from fleet.telemetry.energy import EnergyMeter
from fleet.telemetry.history import FOLDER
from fleet.telemetry.shares import training_share

FILE = "tally.json"
#: A longer gap between two samples counts as time without measurement, in seconds.
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
        """Percent of the time of the GPUs with processes of the run; None when it was never known."""
        return 100 * self.trained / self.known if self.known else None

    def add(self, at: float, sample: Sample, own: Collection[int]) -> None:
        """Add the sample; ``own`` are the run's process ids on the node."""
        self.energy.add(at, sample)
        passed, self._last = at - (at if self._last is None else self._last), at
        if sample.get("stale") or not 0 < passed <= _LONGEST_GAP:
            return
        for gpu in sample["gpus"]:
            share = training_share(gpu, own).percent
            if share is not None and any(item["pid"] in own for item in gpu.get("processes") or ()):
                self.known += passed
                self.trained += passed * share / 100


def read_tallies(run_folder: Path) -> dict[str, Tally]:
    """Return node -> tally as kept below a run's folder; empty when nothing usable is there."""
    try:
        kept = parse_json(read_private(run_folder / FOLDER / FILE))
        return {node: _tally(values) for node, values in kept.items()} if isinstance(kept, dict) else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_tallies(run_folder: Path, tallies: Mapping[str, Tally]) -> None:
    """Save them below a run's folder; raises OSError."""
    folder = run_folder / FOLDER
    kept = {
        node: {"energy": tally.energy.kept, "known": tally.known, "trained": tally.trained}
        for node, tally in tallies.items()
    }
    make_folder(folder)
    replace_file(folder / FILE, (json.dumps(kept, ensure_ascii=False) + "\n").encode("utf-8"))


def _tally(values: Mapping[str, Any]) -> Tally:
    tally = Tally()
    tally.energy.resume(values["energy"])
    tally.known, tally.trained = float(values["known"]), float(values["trained"])
    return tally
