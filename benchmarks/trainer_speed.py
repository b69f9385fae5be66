"""Speed of the trainer on one GPU, compared with a plain PyTorch loop over the same network without data.

    python benchmarks/trainer_speed.py path/to/train.zip [--size S/16 --batch 256 --precision bf16]

Prints one JSON line per result: the GPU's matrix product rate, the plain loop (eager, compiled), and
``python -m trainer`` on real pairs (eager, compiled) with its data loader. Takes less than ten minutes on an
H200; on a CPU use --size tiny.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from trainer_data import unpack  # noqa: E402

from trainer.dataset.palette import standard_palette  # noqa: E402
from trainer.model.compiled_loss import CompiledLoss  # noqa: E402
from trainer.model.config import ModelConfig, model_config  # noqa: E402
from trainer.model.ema import ExponentialMovingAverage  # noqa: E402
from trainer.model.flow_matching import FlowMatching, LossModule  # noqa: E402
from trainer.model.optimizer import create_optimizer  # noqa: E402
from trainer.model.transformer import FloorPlanTransformer  # noqa: E402
from trainer.settings import Training  # noqa: E402
from trainer.throughput import peak_flops  # noqa: E402

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive", type=Path, help="train.zip of Tell2Design")
    parser.add_argument("--size", default="S/16")
    parser.add_argument("--image", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--precision", default="bf16", choices=list(_DTYPES))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=8000, help="real pairs to read")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--work", type=Path, help="folder for the unpacked pairs; default: a temporary one")
    parser.add_argument("--only", default="", help="gemm, floor, trainer: only results whose name has this")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        for name, measure in (
            ("gemm", lambda: gemm()),
            ("floor eager", lambda: floor(chosen, compiled=False)),
            ("floor compiled", lambda: floor(chosen, compiled=True)),
            ("trainer eager", lambda: trainer(chosen, work, compiled=False)),
            ("trainer compiled", lambda: trainer(chosen, work, compiled=True)),
        ):
            if chosen.only not in name:
                continue
            begun = time.monotonic()
            try:
                result = measure()
            except Exception as error:  # noqa: BLE001  (the other results still count)
                traceback.print_exc()
                result = {"error": f"{type(error).__name__}: {error}"}
            result["wall_s"] = round(time.monotonic() - begun, 1)
            print(json.dumps({"result": name, **result}), flush=True)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def network_config(chosen: argparse.Namespace) -> ModelConfig:
    return model_config(
        chosen.size,
        image_size=chosen.image,
        text_tokens=chosen.tokens,
        vocabulary=8192,
        classes=len(standard_palette()),
    )


def metrics(chosen: argparse.Namespace, seconds: float) -> dict[str, Any]:
    flops = 3 * network_config(chosen).forward_flops() * chosen.batch / seconds
    peak = peak_flops(device(), chosen.precision)
    return {
        "size": chosen.size,
        "batch": chosen.batch,
        "precision": chosen.precision,
        "images_s": round(chosen.batch / seconds, 1),
        "step_ms": round(seconds * 1000, 2),
        "tflops": round(flops / 1e12, 1),
        "mfu": round(flops / peak, 4) if peak else None,
        "gflop_image": round(3 * network_config(chosen).forward_flops() / 1e9, 1),
    }


def gemm() -> dict[str, Any]:
    """What the GPU reaches in a large matrix product: the practical ceiling."""
    if device().type != "cuda":
        return {"skipped": "no GPU"}
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(13):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        a @ b
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return {
        "device": torch.cuda.get_device_name(),
        "tflops": round(2 * 8192**3 / statistics.median(times[3:]) / 1e12, 1),
    }


def floor(chosen: argparse.Namespace, *, compiled: bool) -> dict[str, Any]:
    """The same network, loss, optimizer and averages in a plain loop, on one constant batch."""
    where, dtype = device(), _DTYPES[chosen.precision]
    torch.manual_seed(0)
    training = Training()
    network = FloorPlanTransformer(network_config(chosen)).to(where)
    flow = FlowMatching(network.config, chosen.image / 16)
    loss = (
        CompiledLoss(flow.loss, cuda_graphs=where.type == "cuda", split_at_buckets=False)
        if compiled
        else flow.loss
    )
    loss_module = LossModule(network, loss)
    optimizer = create_optimizer(network, training)
    ema = ExponentialMovingAverage(network, 0.999)
    scaler = torch.amp.GradScaler(enabled=chosen.precision == "fp16")
    images = torch.randint(0, 12, (chosen.batch, chosen.image, chosen.image), device=where, dtype=torch.uint8)
    tokens = torch.randint(1, 8192, (chosen.batch, chosen.tokens), device=where, dtype=torch.int32)
    generator = torch.Generator(device=where)

    def step(number: int) -> None:
        generator.manual_seed(number)
        random_inputs = flow.random_inputs(images, 0.1, generator)
        with torch.autocast(where.type, dtype, enabled=dtype != torch.float32):
            loss = loss_module(images, tokens, *random_inputs)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        ema.update(number)

    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    warm = min(10, chosen.steps)
    for number in range(warm):
        step(number)
    seconds = []
    # In several parts, so that one disturbance does not change the median.
    part_steps = max(1, chosen.steps // 5)
    for part in range(5):
        begun = _now(where)
        for number in range(part_steps):
            step(warm + part * part_steps + number)
        seconds.append((_now(where) - begun) / part_steps)
    memory = torch.cuda.max_memory_allocated() / 1e9 if where.type == "cuda" else None
    if where.type == "cuda":
        del loss_module, network, optimizer, ema
        torch.cuda.empty_cache()
    return {**metrics(chosen, statistics.median(seconds)), "mem_gb": memory and round(memory, 2)}


def _now(where: torch.device) -> float:
    if where.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def trainer(chosen: argparse.Namespace, work: Path, *, compiled: bool) -> dict[str, Any]:
    """``python -m trainer`` on real pairs; metrics from its records without the first ones."""
    data = unpack([chosen.archive], work, chosen.pairs)
    run = f"speed-{'compiled' if compiled else 'eager'}"
    options = {
        "data.root": data, "data.generate": "false", "data.image_size": chosen.image, "data.resize": "true",
        "data.text_tokens": chosen.tokens, "data.cache_folder": work / "cache", "model.size": chosen.size,
        "model.vocabulary": 8192, "model.compile": str(compiled).lower(), "model.noise_scale": 0,
        "training.max_steps": chosen.steps + 20,
        "training.batch_size": chosen.batch, "training.num_workers": chosen.workers,
        "training.mixed_precision": chosen.precision, "training.eval_pairs": 0, "training.log_every": 10,
        "training.save_every": 1000000, "sampling.count": 1, "sampling.steps": 1,
        "paths.logs": work / "logs", "paths.checkpoints": work / "checkpoints",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "trainer",
        "--config",
        ROOT / "configs/train_config.yaml",
        "--resume",
        "none",
    ]
    for name, value in options.items():
        command += ["--set", f"{name}={value}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DTUI_RUN_ID": run}
    (work / "logs" / f"metrics_{run}_rank0.jsonl").unlink(missing_ok=True)
    subprocess.run(
        list(map(str, command)), env=environment, cwd=work, check=True, stdout=sys.stderr, timeout=500
    )
    lines = (work / "logs" / f"metrics_{run}_rank0.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [record for record in map(json.loads, lines) if record["kind"] == "step"][2:]
    seconds = statistics.median(record["step_time"] for record in steps)
    return {
        **metrics(chosen, seconds),
        "mem_gb": steps[-1]["mem_gb"],
        "data_share": round(statistics.median(r["data_time"] / r["step_time"] for r in steps), 4),
        "mfu_reported": steps[-1]["mfu"],
        "loss": steps[-1]["loss"],
    }


if __name__ == "__main__":
    main()
