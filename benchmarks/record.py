"""What the record of a run costs: bytes on the master's disk and CPU time, before and after compression.

``python -m benchmarks.record [--minutes 10] [--ranks 4]`` writes the output of chatty ranks, 17 KB/s each (a
progress bar and a line of metrics four times a second), and one step record per rank and second, once as
format 1 did (everything as JSON lines) and once as it is done now. Time is simulated: it writes as fast as it
can, in pieces as a node sends them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fleet.event_json import to_json
from fleet.events import Event, LogChunk, MetricsSeen
from fleet.metrics_record import MetricsRecord
from fleet.plan import NodePlan, RunPlan
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore

#: Pieces per rank and second: a node checks its files 20 times per second.
PIECES = 20
BYTES = 17_000


def events(minutes: float, ranks: int) -> Iterator[Event]:
    """What the nodes of a run send in ``minutes``, in order."""
    chance = random.Random(1)
    offsets = [0] * ranks
    ends = [0] * ranks
    for second in range(int(minutes * 60)):
        for piece in range(PIECES):
            for rank in range(ranks):
                data = _output(chance, second, piece, BYTES // PIECES)
                at = second + piece / PIECES
                yield LogChunk(node=f"gpu{rank}", at=at, run="r", rank=rank, offset=offsets[rank], data=data)
                offsets[rank] += len(data)
        for rank in range(ranks):
            ends[rank] += 300
            record = MetricsRecord(
                time=second + 1.7e9, kind="step", step=second, loss=chance.random(), lr=3e-4,
                step_time=chance.random(), data_time=chance.random(), comm_time=chance.random(),
                numbers={"images_per_s": 100 * chance.random(), "grad_norm": chance.random()},
            )  # fmt: skip
            yield MetricsSeen(
                node=f"gpu{rank}", at=float(second), run="r", rank=rank, record=record, end=ends[rank]
            )


def _output(chance: random.Random, second: int, piece: int, size: int) -> bytes:
    lines = b""
    while len(lines) < size:
        step = second * PIECES + piece
        lines += (
            f"\rtrain:  {step % 100:3d}%|{'#' * (step % 40):<40}| {step}/100000 "
            f"[{chance.uniform(0.2, 0.4):.2f}s/it, loss={chance.random():.4f}, lr={chance.random():.6f}]\n"
        ).encode()
    return lines[:size]


def store_in(folder: Path, ranks: int) -> RunStore:
    """A run of ``ranks`` ranks."""
    parts = tuple(
        NodePlan(
            node=f"gpu{rank}", machine_rank=rank, first_rank=rank, local_world_size=1, gpus=(),
            gpus_chosen=False, interface=None, processes=(),
        )
        for rank in range(ranks)
    )  # fmt: skip
    plan = RunPlan(
        run="r", method="ranks", backend="gloo", cpu=True, mixed_precision="no", world_size=ranks,
        master_address="127.0.0.1", master_port=29500, nodes=parts,
    )  # fmt: skip
    store = RunStore(folder, "r")
    store.create(plan)
    return store


def main() -> None:
    """Measure, and print one line per method of writing."""
    parser = argparse.ArgumentParser(description="bytes and CPU time of a run's record")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--ranks", type=int, default=4)
    args = parser.parse_args()
    made = list(events(args.minutes, args.ranks))
    raw = sum(len(event.data) for event in made if isinstance(event, LogChunk))
    print(f"{args.ranks} ranks, {args.minutes:g} min: {raw / args.minutes / 1e6:.2f} MB/min of output")
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        path = Path(folder) / "events.jsonl"
        with path.open("ab", buffering=0) as file:
            for event in made:
                file.write(to_json(event).encode("utf-8") + b"\n")
        _print_row("JSON lines (format 1)", path.stat().st_size, started, args.minutes)
    with tempfile.TemporaryDirectory() as folder:
        store = store_in(Path(folder), args.ranks)
        started = time.process_time()
        with Recorder(store) as recorder:
            for event in made:
                recorder.write(event)
        lifecycle = store.events_file.stat().st_size
        output = sum(file.stat().st_size for file in store.output.path.iterdir())
        _print_row("segments (format 2)", lifecycle + output, started, args.minutes)
        parts = f"events.jsonl {lifecycle / args.minutes / 1e6:.3f}, output {output / args.minutes / 1e6:.3f}"
        print(f"  of it {parts}")
        started = time.process_time()
        count = sum(1 for _ in store.events())
        print(f"reading it all: {count} events, {time.process_time() - started:.2f} s of CPU")


def _print_row(name: str, size: int, started: float, minutes: float) -> None:
    cpu = time.process_time() - started
    print(f"{name}: {size / minutes / 1e6:.3f} MB/min, {cpu / minutes * 1000:.0f} ms of CPU per minute")


if __name__ == "__main__":
    main()
