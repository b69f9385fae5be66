r"""Scaling over GPUs: ``python -m benchmarks.scaling``. dtui deploys to loopback nodes on this machine.

    python -m benchmarks.scaling                     all GPUs: 1, 2, 4, 8 ranks over two nodes, nccl and gloo
    python -m benchmarks.scaling --share-gpu         two ranks on one GPU, over gloo
    python -m benchmarks.scaling --cpu               ranks of one thread each, over gloo

JSON lines on stdout (``machine``, ``cell`` or ``not run``, then ``on paper``: the baseline's forecast for
clusters that are not here), progress and tables on stderr. Ends after ``--limit`` seconds and the few that
it takes to tidy up; the output lists what was not reached.

Needs torch, accelerate, pillow and pyyaml for the ranks, and for dtui besides pyyaml only asyncssh with
cryptography, cffi and pycparser; nvidia-ml-py where there is a GPU. For a machine without a network, say with
Python 3.12, fetch those elsewhere and take the folder along:

    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
        -d .whl asyncssh cryptography cffi pycparser
    pip install --no-index --no-deps --target /tmp/site .whl/*.whl      # there
    PYTHONPATH=/tmp/site python -m benchmarks.scaling
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import asdict

from benchmarks.scaling.cells import BACKENDS, GRADIENTS, SIZES, Cell, Grid
from benchmarks.scaling.expected import Expectations
from benchmarks.scaling.machine import Machine, inspect_machine
from benchmarks.scaling.measure import Bench, CellFailed
from benchmarks.scaling.paper import on_paper, paper_table
from benchmarks.scaling.project import Load, make_project
from benchmarks.scaling.report import Row, missing_row, row_of, table
from fleet.forecast import Workload
from lab.lab import Lab

#: A cell with less time than this is not started: the start alone takes that long.
_LEAST_SECONDS = 20.0


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cpu", action="store_true", help="train on the CPU")
    where.add_argument("--share-gpu", action="store_true", help="all ranks on GPU 0; usual with one GPU")
    parser.add_argument("--worlds", type=_numbers, metavar="N,N")
    parser.add_argument("--nodes", type=int, default=2, help="nodes that share the GPUs (default 2)")
    parser.add_argument("--sizes", type=_some(SIZES), metavar="NAME,NAME", help=" ".join(SIZES))
    parser.add_argument("--backends", type=_some(BACKENDS), metavar="NAME,NAME", help=" ".join(BACKENDS))
    parser.add_argument("--gradients", type=_some(GRADIENTS), default=GRADIENTS, help=" ".join(GRADIENTS))
    parser.add_argument("--batch", type=int, help="pairs a rank and step")
    parser.add_argument("--steps", type=int, help="steps of each cell")
    parser.add_argument("--cell-seconds", type=float, default=20.0, help="training ends after so long, too")
    parser.add_argument("--precision", choices=("no", "fp16", "bf16"), help="default: fp16 on GPUs")
    parser.add_argument("--compile", action="store_true",
        help="torch.compile; TORCHINDUCTOR_CACHE_DIR is kept from call to call",
    )  # fmt: skip
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for everything (default 600)")
    parser.add_argument("--work", type=Path, help="folder for the nodes' files, removed afterwards")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser


@dataclass
class Result:
    """Rows so far, what the baselines have shown, and whether a cell has failed that can be run here."""

    rows: list[Row] = field(default_factory=list)
    workloads: dict[str, Workload] = field(default_factory=dict)
    failed: bool = False


async def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 when a cell that can be run here has failed."""
    begun = time.monotonic()
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dtui-scaling-", dir=options.work) as text:
        folder = Path(text)
        project = folder / "project"
        project.mkdir()
        machine = await inspect_machine(project)
        grid, load = grid_of(options, machine), load_of(options, machine)
        _print_row({"measure": "machine", "machine": machine.text, "load": asdict(load)})
        cells, missing = grid.cells()
        make_project(project, load)
        result = await _measure(cells, project, load, folder / "lab", begun + options.limit)
    for cell, reason in missing:
        result.rows.append(missing_row(cell, reason))
        _print_row(result.rows[-1])
    # The speed of a core is not a basis for a cluster of GPUs.
    workloads = {} if grid.gpus is None else result.workloads
    paper = [row for size, workload in workloads.items() for row in on_paper(size, workload)]
    for row in paper:
        _print_row(row)
    text = table(result.rows) + (f"\n{paper_table(paper)}" if paper else "")
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    print(text, file=sys.stderr)
    return int(result.failed)


def grid_of(options: argparse.Namespace, machine: Machine) -> Grid:
    """Return what to measure: the options, and for what they leave open what suits the machine."""
    gpus = None if options.cpu or not machine.gpus else machine.gpus
    share = gpus is not None and (options.share_gpu or gpus == 1)
    return Grid(
        sizes=options.sizes or (("tiny",) if gpus is None else ("S/16", "B/16")),
        worlds=options.worlds or ((2,) if share else (2, 4, 8)),
        backends=options.backends or (("gloo",) if share or gpus is None else BACKENDS),
        gradients=options.gradients,
        gpus=gpus,
        cores=machine.cores,
        share_gpu=share,
        nodes=options.nodes,
    )


def load_of(options: argparse.Namespace, machine: Machine) -> Load:
    """Return how much a rank computes: real pictures on GPUs, the shipped small ones on CPUs."""
    minutes = options.cell_seconds / 60
    if options.cpu or not machine.gpus:
        return Load(
            batch=options.batch or 8, steps=options.steps or 120, minutes=minutes, log_every=10,
            image_size=32, text_tokens=64, precision=options.precision or "no", compile=options.compile,
        )  # fmt: skip
    return Load(
        batch=options.batch or 64, steps=options.steps or 120, minutes=minutes, log_every=5,
        image_size=256, text_tokens=512, precision=options.precision or "fp16", compile=options.compile,
        workers=2,
    )  # fmt: skip


async def _measure(cells: Sequence[Cell], project: Path, load: Load, root: Path, deadline: float) -> Result:
    """Return a row for each cell, in their order."""
    result = Result()
    if not cells:
        return result
    async with Lab(max(len(cell.shares) for cell in cells), root=root) as lab:
        lab.trust(project / ".dtui" / "known_hosts")
        kept = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
        bench = Bench(lab, project, load, Path(kept) if kept else None)
        expectations = Expectations(bench, project / ".dtui", load)
        for cell in cells:
            left = deadline - time.monotonic()
            if left < _LEAST_SECONDS:
                row = missing_row(cell, "the time limit")
            else:
                print(f"{cell} ({left:.0f} s left)", file=sys.stderr, flush=True)
                try:
                    measured = await bench.measure(cell, left)
                except CellFailed as error:
                    result.failed = True
                    row = missing_row(cell, str(error))
                else:
                    expected = await expectations.of(measured)
                    row = row_of(measured, expectations.base(cell), expected)
            result.rows.append(row)
            _print_row(row)
        result.workloads = expectations.workloads
    return result


def _print_row(row: Row) -> None:
    print(json.dumps(row), flush=True)


def _some(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader of names from ``known`` with commas between."""

    def read(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        if strange := [word for word in words if word not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(strange)}: not one of {', '.join(known)}")
        return words

    return read


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(word) for word in text.split(","))
    if min(numbers) < 2:
        raise argparse.ArgumentTypeError("from 2 on; one rank is always measured, as the baseline")
    return numbers


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
