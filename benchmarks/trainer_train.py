"""Trains on Tell2Design for some minutes and scores the result on its held-out pairs.

    python benchmarks/trainer_train.py FOLDER --minutes 6.5
    python benchmarks/trainer_train.py FOLDER --minutes 20 --stop-after 8 --work /root/t2d   # and again

FOLDER holds train.zip and val.zip. ``--stop-after`` ends this call early with a checkpoint; a call with the
same ``--work`` continues there, so that a long schedule fits into short calls. Prints one JSON line per
result: points of the loss curve, a small sweep over sampling on some held-out pairs, and the best of it on
all of them, compared with retrieval and random plans.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from trainer_data import unpack  # noqa: E402

#: (ODE steps, guidance, candidates)
_SWEEP = (
    (1, 1.0, 1), (4, 1.0, 1), (10, 1.0, 1), (20, 1.0, 1), (20, 1.5, 1), (20, 2.0, 1), (20, 3.0, 1),
    (50, 1.5, 1), (10, 1.0, 8), (20, 1.5, 8),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=6.5, help="of training, in all calls together")
    parser.add_argument("--stop-after", type=float, default=0, help="minutes of training in this call")
    parser.add_argument("--work", type=Path, help="kept between calls; default: a temporary folder")
    parser.add_argument("--out", type=Path, help="where samples, log and records are copied to")
    parser.add_argument("--gpus", type=int, default=1, help="ranks, a GPU each")
    parser.add_argument("--size", default="S/16")
    parser.add_argument("--image", type=int, default=256)
    parser.add_argument("--batch", type=int, default=128, help="pairs a rank and step")
    parser.add_argument("--learning-rate", type=float, default=8e-4)
    parser.add_argument("--noise-scale", type=float, default=0)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--limit", type=int, default=0, help="training pairs; 0: all")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--sweep-pairs", type=int, default=100)
    parser.add_argument("--skip-evaluation", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        options = configure(chosen, work)
        train(chosen, work, options)
        for record in curve(work):
            show("curve", record)
        if not chosen.skip_evaluation:
            evaluate(chosen, work, options)
        if chosen.out:
            chosen.out.mkdir(parents=True, exist_ok=True)
            for path in (*work.glob("logs/*rank0*"), *work.glob("checkpoints/*/samples/*.png")):
                shutil.copy(path, chosen.out / path.name)


def show(result: str, record: dict[str, Any]) -> None:
    print(json.dumps({"result": result, **record}), flush=True)


def configure(chosen: argparse.Namespace, work: Path) -> list[str]:
    data = unpack([chosen.folder / "val.zip"], work)
    unpack([chosen.folder / "train.zip"], work, chosen.limit)
    options = {
        "data.root": data, "data.generate": "false", "data.image_size": chosen.image, "data.resize": "true",
        "data.text_tokens": 512, "data.cache_folder": work / "cache", "model.size": chosen.size,
        "model.vocabulary": 8192, "model.compile": str(not chosen.no_compile).lower(),
        "model.noise_scale": chosen.noise_scale, "training.max_steps": 10000000,
        "training.max_minutes": chosen.minutes, "training.batch_size": chosen.batch,
        "training.num_workers": chosen.workers, "training.mixed_precision": chosen.precision,
        "training.learning_rate": chosen.learning_rate, "training.warmup_steps": 300,
        "training.ema_decay": chosen.ema, "training.eval_pairs": 64, "training.eval_every": 2000,
        "training.log_every": 50, "training.save_every": 2000, "training.max_checkpoints": 2,
        "sampling.guidance": 1.5, "paths.logs": work / "logs", "paths.checkpoints": work / "checkpoints",
    }  # fmt: skip
    return [word for name, value in options.items() for word in ("--set", f"{name}={value}")] + [
        word for text in chosen.set for word in ("--set", text)
    ]


def train(chosen: argparse.Namespace, work: Path, options: list[str]) -> None:
    stop = work / "stop"
    stop.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DTUI_RUN_ID": f"train-{int(time.time())}",
        "DTUI_STOP_FILE": str(stop),
    }
    config = str(ROOT / "configs/train_config.yaml")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={chosen.gpus}"]
    process = subprocess.Popen(
        [
            sys.executable,
            *(launcher if chosen.gpus > 1 else []),
            "-m",
            "trainer",
            "--config",
            config,
            *options,
        ],
        env=environment,
        cwd=work,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    timer = threading.Timer(chosen.stop_after * 60, stop.touch)
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", file=sys.stderr, flush=True)
        # Importing, decoding and compiling are not training.
        if line.startswith("Training started") and chosen.stop_after:
            timer.start()
    timer.cancel()
    if process.wait():
        raise SystemExit(f"the trainer ended with {process.returncode}")


def curve(work: Path) -> list[dict[str, Any]]:
    """Return about 20 points of the loss curve and every evaluation, of all calls."""
    records = [
        json.loads(line)
        for path in sorted(work.glob("logs/metrics_train-*_rank0.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    steps = [record for record in records if record["kind"] == "step"]
    keys = (
        "step",
        "samples",
        "loss",
        "lr",
        "grad_norm",
        "samples_s",
        "mfu",
        "mem_gb",
        "data_time",
        "step_time",
    )
    points = [{key: record[key] for key in keys} for record in steps[:: max(1, len(steps) // 20)]]
    return points + [record for record in records if record["kind"] == "eval"]


def evaluate(chosen: argparse.Namespace, work: Path, options: list[str]) -> None:
    import numpy as np

    from trainer.dataset.cache import open_dataset
    from trainer.dataset.loading import preprocessing_options
    from trainer.evaluation.sampler import PlanSampler, select_device
    from trainer.evaluation.scoring import baseline_plans, score_plans
    from trainer.settings_file import load

    settings = load(ROOT / "configs/train_config.yaml", options[1::2])
    root, preprocessing = Path(settings.data.root), preprocessing_options(settings)
    pairs = open_dataset(root / "train", preprocessing, work / "cache")
    held_out = open_dataset(root / "val", preprocessing, work / "cache", pairs.palette)
    sampler = PlanSampler.load(work / "checkpoints", select_device("auto"))
    assert sampler.palette is not None
    palette = sampler.palette
    numbers = list(range(len(held_out)))

    def scored(count: int, steps: int, guidance: float, candidates: int) -> dict[str, Any]:
        begun = time.monotonic()
        plans = []
        for at in range(0, count, 64):
            tokens = held_out[numbers[at : min(count, at + 64)]]["tokens"].to(sampler.device)
            plans.append(
                sampler.sample(tokens, steps=steps, guidance=guidance, seed=at, candidates=candidates)
            )
        drawn = time.monotonic() - begun
        result = score_plans(held_out.images(numbers[:count]), np.concatenate(plans), palette)
        about = {"steps": steps, "guidance": guidance, "candidates": candidates, "pairs": count}
        return {
            **about,
            **result,
            "draw_s": round(drawn, 1),
            "score_s": round(time.monotonic() - begun - drawn, 1),
        }

    sweep = []
    for steps, guidance, candidates in _SWEEP:
        sweep.append(scored(min(chosen.sweep_pairs, len(numbers)), steps, guidance, candidates))
        show("sweep", sweep[-1])
    best = max(sweep, key=lambda result: result["iou_pooled"])
    final = scored(len(numbers), best["steps"], best["guidance"], best["candidates"])
    show("held-out", {"step": sampler.metadata["step"], "samples": sampler.metadata["samples"], **final})
    for method, plans in baseline_plans(pairs, held_out, numbers, 0).items():
        show(method, {"pairs": len(numbers), **score_plans(held_out.images(numbers), plans, palette)})


if __name__ == "__main__":
    main()
