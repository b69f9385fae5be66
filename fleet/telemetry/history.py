"""What was measured on a node during a run: kept on the master for hours, read back as columns."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from msgspec import Struct, field

from agent.wire.telemetry import Sample
from fleet.events import Event, TelemetrySampled
from fleet.private_files import make_folder, open_private, read_private
from fleet.telemetry.blocks import Sampled, pack_block, read_blocks
from fleet.telemetry.series import row_of

FOLDER = "telemetry"
#: Samples in one block: what a crash of the console can lose.
BLOCK = 60
#: Samples of a node that are kept at least: eight hours of one per second.
KEPT = 8 * 3600
#: Bytes of a file that are read: such a file of a node with hundreds of GPUs is smaller.
_LARGEST = 256 << 20


class Bucket(Struct, frozen=True):
    """A stretch of a series, drawn as one column: from ``start`` on, lowest, mean and highest value."""

    start: float
    low: float
    mean: float
    high: float


class History(Struct, frozen=True):
    """One node's samples, oldest first. ``times`` are Unix seconds, each series is as long as they are."""

    times: tuple[float, ...] = ()
    series: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def window(self, name: str, start: float, end: float, points: int) -> list[Bucket | None]:
        """Return ``points`` buckets of a series between two times; None without measurements."""
        values = self.series.get(name, ())
        width = (end - start) / points if points else 0.0
        if not values or width <= 0:
            return [None] * points
        # Slices and built-ins: hours of samples of many GPUs are drawn while the user waits.
        edges = [bisect_left(self.times, start + place * width) for place in range(points)]
        edges.append(bisect_left(self.times, end))
        found: list[Bucket | None] = []
        for place in range(points):
            bucket = [value for value in values[edges[place] : edges[place + 1]] if value is not None]
            found.append(
                Bucket(start + place * width, min(bucket), sum(bucket) / len(bucket), max(bucket))
                if bucket
                else None
            )
        return found

    def then(self, later: History) -> History:
        """Return this history with the samples of ``later`` after its end."""
        start = bisect_right(later.times, self.times[-1]) if self.times else 0
        before, after = len(self.times), len(later.times) - start
        return History(
            self.times + later.times[start:],
            {
                name: self.series.get(name, (None,) * before)
                + (later.series[name][start:] if name in later.series else (None,) * after)
                for name in {**self.series, **later.series}
            },
        )


class HistoryWriter:
    """Appends a node's samples below a run's folder, in two files, of which the older one is replaced.

    So at least KEPT samples stay and at most twice as many, and nothing that was written is changed.
    """

    def __init__(self, folder: Path, node: str, *, kept: int = KEPT, block: int = BLOCK) -> None:
        self._new, self._old = _files(folder, node)
        self._kept = kept
        self._block = block
        self._waiting: list[Sampled] = []
        self._written: int | None = None

    def append(self, at: float, sample: Sample) -> None:
        """Keep one sample; every ``block`` of them reach the disk. Raises OSError."""
        self._waiting.append((at, row_of(sample)))
        if len(self._waiting) >= self._block:
            self.flush()

    def flush(self) -> None:
        """Write the waiting samples; raises OSError, and then drops them."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        make_folder(self._new.parent)
        if self._written is None:
            self._written = sum(map(len, _blocks(self._new, lambda _: False)))
        if self._written >= self._kept:
            self._new.replace(self._old)
            self._written = 0
        with open_private(self._new, "ab") as file:
            file.write(pack_block(waiting))
        self._written += len(waiting)


class TelemetryRecorder:
    """Keeps the TelemetrySampled of a run's nodes in its folder. Use as context manager."""

    def __init__(self, run_folder: Path, *, kept: int = KEPT, block: int = BLOCK) -> None:
        self._folder = run_folder / FOLDER
        self._kept = kept
        self._block = block
        self._writers: dict[str, HistoryWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.flush()

    def add(self, event: Event) -> None:
        """Keep the event if it is a sample; raises OSError."""
        if not isinstance(event, TelemetrySampled):
            return
        writer = self._writers.get(event.node)
        if writer is None:
            writer = HistoryWriter(self._folder, event.node, kept=self._kept, block=self._block)
            self._writers[event.node] = writer
        writer.append(event.at, event.sample)


def read_history(run_folder: Path, node: str, wanted: Callable[[str], bool] | None = None) -> History:
    """Return the history of a node in a run, of all series or of those wanted; empty without one."""
    new, old = _files(run_folder / FOLDER, node)
    samples = [sample for file in (old, new) for block in _blocks(file, wanted) for sample in block]
    samples.sort(key=lambda sample: sample[0])
    names = dict.fromkeys(name for _, row in samples for name in row)
    return History(
        tuple(at for at, _ in samples),
        {name: tuple(row.get(name) for _, row in samples) for name in names},
    )


def recorded_nodes(run_folder: Path) -> tuple[str, ...]:
    """Return the nodes that have a history in a run."""
    files = (run_folder / FOLDER).glob("*.tel*")
    return tuple(sorted({file.name.removesuffix(".old").removesuffix(".tel") for file in files}))


def _files(folder: Path, node: str) -> tuple[Path, Path]:
    if not re.fullmatch(r"\w[\w.-]*", node):
        raise ValueError(f"not a node's name: {node!r}")
    return folder / f"{node}.tel", folder / f"{node}.tel.old"


def _blocks(file: Path, wanted: Callable[[str], bool] | None = None) -> list[list[Sampled]]:
    try:
        return list(read_blocks(read_private(file, _LARGEST), wanted))
    except OSError:
        return []
