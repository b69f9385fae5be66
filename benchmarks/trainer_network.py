"""What a slow network costs the trainer: CPU nodes in network namespaces, joined by shaped links. Needs root.

    python benchmarks/trainer_network.py --nodes 2 4 --mbit 1000
    python benchmarks/trainer_network.py --nodes 2 --quality
    python benchmarks/trainer_network.py --nodes 2 --quality --quality-steps 800 --quality-batch 4 \\
        --methods fp32 diloco averaging

The network of the first is small to compute and large to send: ``tiny`` with a vocabulary of 340,000 words,
33.6 million parameters. With --quality the demo's network trains on the same number of synthetic pairs in
each communication method, and the held-out loss is compared. One JSON line per result.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from trainer.dataset.synthetic import write_pairs  # noqa: E402

_METHODS: dict[str, dict[str, Any]] = {
    # What the processors alone need: no rank waits for another within the steps that are measured.
    "alone": {"communication.diloco_steps": 100000},
    "fp32": {},
    "fp16": {"communication.gradient_compression": "fp16"},
    "bf16": {"communication.gradient_compression": "bf16"},
    "diloco": {},
    # The same meetings, but weights are only averaged.
    "averaging": {"communication.outer_learning_rate": 1, "communication.outer_momentum": 0},
}
#: Methods in which nodes communicate only every few steps.
_LOCAL = ("diloco", "averaging")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--mbit", type=int, default=1000, help="rate of each node's link")
    parser.add_argument("--methods", nargs="+", default=list(_METHODS)[:-1], choices=list(_METHODS))
    parser.add_argument("--steps", type=int, default=6, help="steps of a speed run")
    parser.add_argument("--every", type=int, default=20, help="DiLoCo's local steps")
    parser.add_argument("--quality", action="store_true", help="compare losses instead of times")
    parser.add_argument("--quality-steps", type=int, default=200)
    parser.add_argument("--quality-batch", type=int, default=8, help="pairs a node and step")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pairs(folder / "data", 512, 32, 0)
        for nodes in chosen.nodes:
            with network(nodes, chosen.mbit) as spaces:
                for method in chosen.methods:
                    measure = quality if chosen.quality else speed
                    result = measure(chosen, folder, spaces, method)
                    about = {"nodes": nodes, "mbit": chosen.mbit, "method": method}
                    print(json.dumps({**about, **result}), flush=True)


def speed(chosen: argparse.Namespace, folder: Path, spaces: list[str], method: str) -> dict[str, Any]:
    # DiLoCo's cost occurs once per round: measured over whole rounds.
    steps = 2 * chosen.every if method in _LOCAL else chosen.steps
    records = run(
        folder,
        spaces,
        {
            **options(chosen, method),
            "model.vocabulary": 340000,
            "training.max_steps": steps,
            "training.batch_size": 2,
            "training.log_every": chosen.every if method in _LOCAL else 1,
            "training.eval_pairs": 0,
        },
    )
    steps = [record for record in records if record["kind"] == "step"]
    seconds = statistics.median(record["step_time"] for record in steps[1:])
    sending = [record["comm_time"] for record in steps[1:] if record["comm_time"] is not None]
    communication = round(statistics.median(sending), 3) if sending else None
    return {"step_s": round(seconds, 3), "comm_s": communication, "steps": steps}


def quality(chosen: argparse.Namespace, folder: Path, spaces: list[str], method: str) -> dict[str, Any]:
    records = run(
        folder,
        spaces,
        {
            **options(chosen, method),
            "model.vocabulary": 2048,
            "training.max_steps": chosen.quality_steps,
            "training.batch_size": chosen.quality_batch,
            "training.log_every": 20,
            "training.eval_pairs": 64,
        },
    )
    last = [record for record in records if record["kind"] == "step"][-1]
    losses = [record["loss"] for record in records if record["kind"] == "eval"]
    return {"samples": last["samples"], "training_loss": last["loss"], "held_out_loss": losses[-1]}


def options(chosen: argparse.Namespace, method: str) -> dict[str, Any]:
    extra = {**_METHODS[method], **({"communication.diloco_steps": chosen.every} if method in _LOCAL else {})}
    return {
        "data.root": "data", "data.cache_folder": "cache", "data.image_size": 32, "data.text_tokens": 64,
        "training.mixed_precision": "no", "training.warmup_steps": 20, "training.save_every": 1000000,
        "sampling.steps": 2, "sampling.count": 1, "accelerate_config.timeout": 300, **extra,
    }  # fmt: skip


def run(folder: Path, spaces: list[str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run a rank in each namespace; return rank 0's records."""
    name = f"bench-{len(list(folder.glob('logs/*rank0.jsonl')))}"
    command = [sys.executable, "-m", "trainer", "--config", str(ROOT / "configs/train_config.yaml")]
    command += ["--resume", "none"]
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    processes = []
    for rank, space in enumerate(spaces):
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "RANK": str(rank), "LOCAL_RANK": "0",
            "OMP_NUM_THREADS": "1",
            "WORLD_SIZE": str(len(spaces)), "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "10.87.0.1",
            "MASTER_PORT": "29400", "ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "dtui0",
            "DTUI_RUN_ID": name, "DTUI_NODE": space,
        }  # fmt: skip
        inside = ["ip", "netns", "exec", space, *command]
        processes.append(subprocess.Popen(inside, cwd=folder, env=environment, stdout=sys.stderr))
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"ranks ended with {codes}")
    lines = (folder / "logs" / f"metrics_{name}_rank0.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@contextmanager
def network(nodes: int, mbit: int) -> Iterator[list[str]]:
    """Namespaces 10.87.0.1 ... on one switch; each node's link carries ``mbit`` in both directions."""
    tag = f"dtui{os.getpid()}"
    spaces, switch = [f"{tag}n{number}" for number in range(nodes)], f"{tag}s"
    shape = f"tbf rate {mbit}mbit burst 256kb latency 50ms"
    try:
        _ip("netns add", switch)
        _ip(f"-n {switch} link add dtuibr type bridge")
        _ip(f"-n {switch} link set dtuibr up")
        for number, space in enumerate(spaces):
            _ip("netns add", space)
            _ip(f"-n {switch} link add port{number} type veth peer name dtui0 netns {space}")
            _ip(f"-n {switch} link set port{number} master dtuibr up")
            _ip(f"-n {space} addr add 10.87.0.{number + 1}/24 dev dtui0")
            _ip(f"-n {space} link set dtui0 up")
            _ip(f"-n {space} link set lo up")
            subprocess.run(f"tc -n {space} qdisc add dev dtui0 root {shape}".split(), check=True)
            subprocess.run(f"tc -n {switch} qdisc add dev port{number} root {shape}".split(), check=True)
        yield spaces
    finally:
        for space in (*spaces, switch):
            subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *(part for word in words for part in word.split())], check=True)


if __name__ == "__main__":
    main()
