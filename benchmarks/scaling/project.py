"""The project that the runs train: dtui's own trainer, sample pairs, and a configuration for each cell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from benchmarks.scaling.cells import Cell
from fleet.inventory import RunSettings

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/train_config.yaml"
#: Of DiLoCo; the first is warm-up.
_ROUNDS = 3


class Load(Struct, frozen=True, kw_only=True):
    """How much each rank computes, and how long. ``batch`` is pairs a rank."""

    batch: int
    #: A run ends after this many steps or minutes, whichever is first.
    steps: int
    minutes: float
    log_every: int
    image_size: int
    text_tokens: int
    precision: str
    workers: int = 0
    compile: bool = False
    pairs: int = 512
    #: Local steps of DiLoCo between two meetings; a multiple of ``log_every``: records see whole rounds.
    diloco_steps: int = 20


def make_project(folder: Path, load: Load) -> None:
    """Write the trainer and its pairs into ``folder``, which is new."""
    shutil.copytree(
        ROOT / "trainer", folder / "trainer", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    (folder / CONFIG).parent.mkdir()
    words = ["--out", "data", "--count", str(load.pairs), "--size", str(load.image_size)]
    subprocess.run(
        [sys.executable, "-m", "trainer.sample_data", *words],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def configure(folder: Path, cell: Cell, load: Load) -> None:
    """Write the cell's configuration; the deploy brings it to the nodes."""
    text = yaml.safe_dump(settings_of(cell, load), sort_keys=False)
    (folder / CONFIG).write_text(text, encoding="utf-8")


def run_of(cell: Cell, port: int, compiled: Path) -> RunSettings:
    """Return how the cell's run is started. Each CPU rank computes with one thread, or one would have all.

    What ranks compile they keep in the folder ``compiled``, for those of later cells.
    """
    env = [("TORCHINDUCTOR_CACHE_DIR", str(compiled))]
    if not any(cell.shares):
        env += [("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")]
    return RunSettings(
        config=CONFIG, args=("--resume", "none"), backend=cell.backend, port=port, env=tuple(env)
    )


def settings_of(cell: Cell, load: Load) -> dict[str, dict[str, Any]]:
    """Return the trainer's settings: no evaluation, hardly any pictures, a checkpoint only at the end."""
    low = cell.gradients == "diloco"
    steps = _ROUNDS * load.diloco_steps if low else load.steps
    return {
        "data": {"root": "data", "image_size": load.image_size, "text_tokens": load.text_tokens},
        "model": {"size": cell.size, "compile": load.compile},
        "training": {
            "max_steps": steps,
            # A round that is cut short would count its steps without their meeting.
            "max_minutes": 0 if low else load.minutes,
            "batch_size": load.batch,
            "num_workers": load.workers,
            "mixed_precision": load.precision,
            "warmup_steps": 5,
            "save_every": steps,
            "log_every": load.log_every,
            "eval_pairs": 0,
        },
        "communication": {
            "gradient_compression": "fp16" if cell.gradients == "fp16" else "none",
            "diloco_steps": load.diloco_steps if low else 0,
        },
        "sampling": {"steps": 1, "count": 1},
        "accelerate_config": {"timeout": 60},
    }
