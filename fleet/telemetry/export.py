"""A run's telemetry as a table: CSV for a spreadsheet, JSON lines for a program."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from fleet.telemetry.history import read_history, recorded_nodes
from fleet.terminal import one_line

FORMATS = ("csv", "json")


def export(run_folder: Path, out: TextIO, form: str, nodes: Sequence[str] = ()) -> int:
    """Write every sample of a run as one row and return how many; ``form`` is one of FORMATS."""
    chosen = nodes or recorded_nodes(run_folder)
    if form == "json":
        count = 0
        for row in _rows(run_folder, chosen):
            out.write(json.dumps(row, separators=(",", ":")) + "\n")
            count += 1
        return count
    names = sorted({name for node in chosen for name in read_history(run_folder, node).series})
    writer = csv.DictWriter(out, ["node", "time", "iso", *names], lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in _rows(run_folder, chosen):
        writer.writerow(row)
        count += 1
    return count


def _iso(at: float) -> str:
    """Return a moment in ISO 8601; empty for one of no calendar, which a program can have written."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""


def _rows(run_folder: Path, nodes: Sequence[str]) -> Iterator[dict[str, object]]:
    for node in nodes:
        history = read_history(run_folder, node)
        # The table is read in a terminal or a spreadsheet; one_line leaves ordinary names as they are.
        name = one_line(node)
        for position, at in enumerate(history.times):
            moment = _iso(at)
            row: dict[str, object] = {"node": name, "time": at, "iso": moment}
            row.update((name, values[position]) for name, values in history.series.items())
            yield row
