"""Joins the ranks, and refuses to go on unless they really train together."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch import nn

from trainer import trackers
from trainer.errors import DataError, NotDistributedError
from trainer.journal import Journal
from trainer.place import Place
from trainer.settings import Settings

#: Options that may differ between nodes.
_OWN = {
    "data.root", "data.cache", "data.cache_folder", "data.cache_limit_gb", "model.pretrained", "paths.logs",
    "paths.checkpoints",
    "training.num_workers", "training.pin_memory", "training.persistent_workers",
}  # fmt: skip
#: Seconds between lines while a rank waits for the master.
_PATIENCE = 10.0


@dataclass(frozen=True)
class World:
    """The joined ranks; ``nodes`` are as the launcher planned them, several of them on a machine in a lab."""

    accelerator: Accelerator
    rank: int
    size: int
    nodes: int
    machines: int
    #: What was asked for and can't be had here, for the log.
    notes: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where this rank computes."""
        return self.accelerator.device  # type: ignore[no-any-return]

    def gather(self, value: Any) -> list[Any]:
        """Return every rank's picklable value, in rank order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """Return rank 0's picklable value."""
        if self.size == 1:
            return value
        holder = [value]
        dist.broadcast_object_list(holder, src=0)
        return holder[0]

    def wait(self) -> None:
        """Wait for all ranks."""
        if self.size > 1:
            self.accelerator.wait_for_everyone()

    def leave(self) -> None:
        """Close the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()


def join(place: Place, settings: Settings, journal: Journal) -> World:
    """Wait for all planned ranks and return the world.

    Raises NotDistributedError when the world is not the planned one, or its ranks run different programs.
    """
    on_cpu = place.use_cpu or not torch.cuda.is_available()
    if place.backend and on_cpu and not place.use_cpu:
        raise NotDistributedError(
            f"{place.node}: the run is planned on GPUs, but torch {torch.__version__} sees none here",
            "check nvidia-smi there, and that its torch is built for CUDA",
        )
    backend = place.backend or ("gloo" if on_cpu or sys.platform == "win32" else "nccl")
    if place.distributed and place.rank > 0:
        await_master(place, settings.accelerate_config.timeout, journal)
    precision, notes = _precision(settings.training.mixed_precision, on_cpu)
    handlers: list[Any] = [
        DistributedDataParallelKwargs(
            gradient_as_bucket_view=True, bucket_cap_mb=settings.communication.bucket_mb
        )
    ]
    if place.distributed:
        timeout = timedelta(seconds=settings.accelerate_config.timeout)
        handlers.append(InitProcessGroupKwargs(backend=backend, timeout=timeout))
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=precision,
        kwargs_handlers=handlers,
        log_with=trackers.available(settings, notes) or None,
        project_dir=settings.paths.logs,
        step_scheduler_with_optimizer=False,
    )
    journal.say(f"Rank {accelerator.process_index}/{accelerator.num_processes} initialized")
    if (accelerator.process_index, accelerator.num_processes) != (place.rank, place.world_size):
        raise NotDistributedError(
            f"the launcher planned rank {place.rank} of {place.world_size}, but this is rank "
            f"{accelerator.process_index} of {accelerator.num_processes}: the ranks would train side by side",
            "distributed_type has to be MULTI_GPU (also on CPUs), and torch has to see the GPUs",
        )
    world = World(accelerator, place.rank, place.world_size, 1, 1, tuple(notes))
    told = world.gather((place.local_rank, _machine(), _program(settings), place.node))
    _same(told, 2, "configuration and trainer code differ between nodes", "deploy again to all nodes")
    journal.say("All processes joined successfully")
    ranks_of = Counter(machine for _, machine, _, _ in told)
    # Nodes that are one machine (a lab) share its cores.
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // ranks_of[_machine()])))
    nodes = sum(local_rank == 0 for local_rank, _, _, _ in told)
    return World(accelerator, place.rank, place.world_size, nodes, len(ranks_of), tuple(notes))


def agree_on_data(world: World, digest: str, node: str) -> None:
    """Raise DataError unless all ranks hold the same training data."""
    told = [(value, where) for value, where in world.gather((digest, node))]
    different = sorted({where for value, where in told if value != told[0][0]})
    if different:
        raise DataError(
            f"the training data of {', '.join(different)} differs from that of {told[0][1]} (rank 0)",
            "copy the same data folder to every node",
        )


def assert_wrapped(world: World, model: nn.Module) -> None:
    """Raise NotDistributedError unless gradients of a world of several ranks are averaged."""
    if world.size > 1 and not isinstance(model, nn.parallel.DistributedDataParallel):
        raise NotDistributedError(
            "the model is not wrapped for data-parallel training: each rank would train alone",
            "distributed_type has to be MULTI_GPU",
        )


def _same(told: list[Any], field: int, what: str, remedy: str) -> None:
    different = sorted({each[3] for each in told if each[field] != told[0][field]})
    if different:
        raise NotDistributedError(f"{what}: {', '.join(different)} against {told[0][3]} (rank 0)", remedy)


def _program(settings: Settings) -> str:
    """Return a digest of the options that must agree, of this package's code and of torch's version."""
    options = {
        f"{section}.{key}": value
        for section, values in settings.as_dict().items()
        for key, value in values.items()
    }
    common = sorted((key, value) for key, value in options.items() if key not in _OWN)
    digest = hashlib.blake2b(repr(common).encode(), digest_size=16)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        # Line ends may differ between a checkout on Windows and one on Linux.
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    digest.update(torch.__version__.split("+")[0].encode())
    return digest.hexdigest()


def _machine() -> str:
    # Cloned machines share a name, so the network card's address joins it.
    return f"{platform.node()}/{uuid.getnode():x}"


def _precision(wanted: str, on_cpu: bool) -> tuple[str, list[str]]:
    if wanted == "fp16" and on_cpu:
        return "no", ["fp16 needs a GPU: training in fp32 on the CPU"]
    if wanted == "bf16" and not on_cpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16", ["this GPU has no bf16: training in fp16"]
    return "no" if wanted == "fp32" else wanted, []


def await_master(
    place: Place,
    timeout: float,
    journal: Journal,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the master's port answers, telling why not; torch itself would be silent for long."""
    begun = told = clock()
    while True:
        try:
            socket.create_connection((place.master_address, place.master_port), timeout=5).close()
            return
        except OSError as error:
            now = clock()
            where = f"{place.master_address}:{place.master_port}"
            if now - begun > timeout:
                raise NotDistributedError(
                    f"rank 0 did not answer at {where} for {timeout:.0f} s: {error}",
                    "check that rank 0 runs, its address, and that its firewall lets the port in",
                ) from None
            if now - told >= _PATIENCE:
                told = now
                journal.say(f"waiting for rank 0 at {where} since {now - begun:.0f} s ({error})")
        sleep(0.2)
