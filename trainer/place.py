"""This process's place in the run, as the launcher's environment tells it; needs no torch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """Rank and world as planned, before anything has joined."""

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
        """Whether a launcher has planned ranks for us (a world of one included)."""
        return bool(self.master_address)

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0


def place_from(env: Mapping[str, str], now: float) -> Place:
    """Return the place that ``env`` describes; without a launcher, the only rank of a world of one.

    Raises ConfigError when the variables are incomplete or contradict each other.
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
        faults.append(f"a launcher's variables are incomplete: {', '.join(missing)} missing")
    place = Place(
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
    if not 0 <= place.rank < place.world_size:
        faults.append(f"RANK={place.rank} is outside of WORLD_SIZE={place.world_size}")
    if faults:
        raise ConfigError("\n".join(faults), "start every rank with the same launcher")
    return place


def prepare_environment(place: Place) -> None:
    """Set what torch reads while it is imported."""
    # Windows builds of torch have no libuv, and its absence is an error unless it is declined.
    os.environ.setdefault("USE_LIBUV", "0")
    if place.distributed:
        os.environ.setdefault("LOCAL_RANK", str(place.local_rank))
    # Ranks of one machine would otherwise each start a thread a core.
    threads = max(1, (os.cpu_count() or 1) // place.local_world_size)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
