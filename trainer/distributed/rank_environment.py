"""The rank of this process as the launcher's environment variables describe it; does not import torch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import ConfigError


@dataclass(frozen=True)
class RankEnvironment:
    """Rank and world as the launcher planned them, before any rank has joined."""

    rank: int
    local_rank: int
    world_size: int
    local_world_size: int
    master_address: str
    master_port: int
    run: str
    node: str
    stop_file: Path | None
    use_cpu: bool
    backend: str

    @property
    def distributed(self) -> bool:
        """Whether a launcher started this process, even if it is the only rank."""
        return bool(self.master_address)


def read_rank_environment(env: Mapping[str, str], now: float) -> RankEnvironment:
    """Return the rank that ``env`` describes; without a launcher, the only rank of a world of size 1.

    Raises ConfigError if variables are missing or contradict each other.
    """
    faults: list[str] = []

    def number(name: str, default: int) -> int:
        text = env.get(name, "")
        try:
            return int(text) if text else default
        except ValueError:
            faults.append(f"{name}={text} is not a number")
            return default

    launched = "RANK" in env or "WORLD_SIZE" in env
    missing = [name for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if not env.get(name)]
    if launched and missing:
        faults.append(f"the launcher's variables are incomplete: {', '.join(missing)} missing")
    environment = RankEnvironment(
        rank=number("RANK", 0),
        local_rank=number("LOCAL_RANK", 0),
        world_size=number("WORLD_SIZE", 1),
        local_world_size=number("LOCAL_WORLD_SIZE", 1),
        master_address=env.get("MASTER_ADDR", "") if launched else "",
        master_port=number("MASTER_PORT", 29500),
        run=env.get("DTUI_RUN_ID") or time.strftime("%Y%m%d-%H%M%S", time.localtime(now)),
        node=env.get("DTUI_NODE") or env.get("COMPUTERNAME") or env.get("HOSTNAME") or "this-node",
        stop_file=Path(env["DTUI_STOP_FILE"]) if env.get("DTUI_STOP_FILE") else None,
        use_cpu=env.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes"),
        backend=env.get("DTUI_BACKEND", ""),
    )
    if not 0 <= environment.rank < environment.world_size:
        faults.append(f"RANK={environment.rank} is outside of WORLD_SIZE={environment.world_size}")
    if faults:
        raise ConfigError("\n".join(faults), "start every rank with the same launcher")
    return environment


def configure_torch_environment(environment: RankEnvironment) -> None:
    """Set the environment variables that torch reads when it is imported."""
    # torch for Windows has no libuv, and fails unless told not to use it.
    os.environ.setdefault("USE_LIBUV", "0")
    if environment.distributed:
        os.environ.setdefault("LOCAL_RANK", str(environment.local_rank))
    # Otherwise each rank of a node starts one thread per core.
    threads = max(1, (os.cpu_count() or 1) // environment.local_world_size)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
