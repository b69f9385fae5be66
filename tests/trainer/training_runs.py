"""Real runs for tests: ``python -m trainer`` with one process per rank, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
#: A network and a run that take about a second on a CPU.
SMALL = {
    "data.generate": "false",
    "data.image_size": 32,
    "data.text_tokens": 24,
    "model.size": "tiny",
    "model.vocabulary": 256,
    "training.max_steps": 6,
    "training.batch_size": 2,
    "training.warmup_steps": 2,
    "training.save_every": 4,
    "training.log_every": 1,
    "training.eval_pairs": 0,
    "training.mixed_precision": "no",
    "training.num_workers": 0,
    # Small, so that there are several buckets as for a large network.
    "communication.bucket_mb": 1,
    "sampling.steps": 1,
    "sampling.count": 2,
    "accelerate_config.timeout": 60,
}
_TIMEOUT = 120.0


@dataclass
class Rank:
    """The process of a rank, its output, and its metrics file."""

    process: subprocess.Popen[str]
    output: Path
    metrics: Path

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    @property
    def records(self) -> list[dict[str, Any]]:
        lines = self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.exists() else []
        return [json.loads(line) for line in lines]

    def records_of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["kind"] == kind]

    def wait(self) -> int:
        return self.process.wait(_TIMEOUT)


@dataclass
class Project:
    """A working directory for runs."""

    folder: Path
    data: Path

    def start(
        self, run: str, world_size: int, *, arguments: tuple[str, ...] = (), stop: Path | None = None,
        use_cpu: str = "true", options_of_rank: Callable[[int], Mapping[str, Any]] = lambda rank: {},
        **options: Any,
    ) -> list[Rank]:  # fmt: skip
        """Start ``world_size`` ranks; options are keywords such as ``training__max_steps=4``."""
        (self.folder / "config.yaml").touch()
        overrides = {key.replace("__", "."): value for key, value in options.items()}
        port = free_port()
        return [
            self._start_rank(
                run, rank, world_size, port, arguments, stop, use_cpu, {**overrides, **options_of_rank(rank)}
            )
            for rank in range(world_size)
        ]

    def _start_rank(
        self, run: str, rank: int, world_size: int, port: int, arguments: tuple[str, ...], stop: Path | None,
        use_cpu: str, overrides: Mapping[str, Any],
    ) -> Rank:  # fmt: skip
        values = {**SMALL, "data.root": self.data, "data.cache_folder": self.folder / "cache", **overrides}
        variables = {name: str(values.pop(name)) for name in [*values] if name.startswith("DTUI_")}
        if "DTUI_DATA" in variables:
            del values["data.root"]
        command = [sys.executable, "-m", "trainer", "--config", "config.yaml", *arguments]
        for key, value in values.items():
            command += ["--set", f"{key}={value}"]
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "USE_LIBUV": "0", "RANK": str(rank),
            "LOCAL_RANK": "0", "WORLD_SIZE": str(world_size), "LOCAL_WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": use_cpu,
            "DTUI_RUN_ID": run, "DTUI_NODE": f"node{rank}", "OMP_NUM_THREADS": "1", **variables,
        }  # fmt: skip
        if stop:
            environment["DTUI_STOP_FILE"] = str(stop)
        output = self.folder / f"out-{run}-{rank}.txt"
        with output.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=file, stderr=subprocess.STDOUT, text=True
            )
        return Rank(process, output, self.folder / "logs" / f"metrics_{run}_rank{rank}.jsonl")

    def finish(self, run: str, world_size: int, **options: Any) -> list[Rank]:
        """Run to the end; every rank must succeed."""
        ranks = self.start(run, world_size, **options)
        codes = [rank.wait() for rank in ranks]
        # The rank that failed first says why; the others only lost the connection to it.
        assert codes == [0] * world_size, "\n".join(rank.text for rank in ranks)
        return ranks


def wait_for(condition: Callable[[], bool], description: str, timeout: float = _TIMEOUT) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s for {description}"
        time.sleep(0.005)
