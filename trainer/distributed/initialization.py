"""Joins the ranks of a run into one process group."""

from __future__ import annotations

import os
import platform
import sys
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

from trainer.distributed.consistency import check_same_program
from trainer.distributed.context import DistributedContext
from trainer.distributed.rank_environment import RankEnvironment
from trainer.distributed.rendezvous import wait_for_rank_zero
from trainer.errors import NotDistributedError
from trainer.experiment_trackers import available_trackers
from trainer.metrics_logger import MetricsLogger
from trainer.settings import Settings


def init_distributed(
    environment: RankEnvironment, settings: Settings, logger: MetricsLogger
) -> DistributedContext:
    """Wait for all planned ranks and return the context.

    Raises NotDistributedError if the world is not the planned one, or its ranks run different programs.
    """
    on_cpu = environment.use_cpu or not torch.cuda.is_available()
    if environment.backend and on_cpu and not environment.use_cpu:
        raise NotDistributedError(
            f"{environment.node}: the run is planned for GPUs, but torch {torch.__version__} finds none",
            f"check nvidia-smi on {environment.node}, and that its torch is built for CUDA",
        )
    if environment.distributed and environment.rank > 0:
        wait_for_rank_zero(environment, settings.accelerate_config.timeout, logger)
    accelerator, notes = _create_accelerator(environment, settings, on_cpu=on_cpu)
    joined = (accelerator.process_index, accelerator.num_processes)
    logger.info(f"Rank {joined[0]}/{joined[1]} initialized")
    if joined != (environment.rank, environment.world_size):
        raise NotDistributedError(
            f"the launcher planned rank {environment.rank} of {environment.world_size}, but this is rank "
            f"{joined[0]} of {joined[1]}: the ranks would train separate models",
            "set distributed_type to MULTI_GPU (also on CPUs), and check that torch finds the GPUs",
        )
    context = DistributedContext(
        accelerator, environment.rank, environment.world_size, nodes=1, machines=1, notes=tuple(notes)
    )
    check_same_program(context, settings, environment.node)
    logger.info("All processes joined successfully")
    ranks = context.all_gather((environment.local_rank, _machine_id()))
    ranks_per_machine = Counter(machine for _, machine in ranks)
    # Several nodes of a lab run on one machine and share its cores.
    cores = (os.cpu_count() or 1) // ranks_per_machine[_machine_id()]
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores)))
    nodes = sum(local_rank == 0 for local_rank, _ in ranks)
    return replace(context, nodes=nodes, machines=len(ranks_per_machine))


def _create_accelerator(
    environment: RankEnvironment, settings: Settings, *, on_cpu: bool
) -> tuple[Accelerator, list[str]]:
    """Return the accelerator and notes about what is not available; joins the process group."""
    backend = environment.backend or ("gloo" if on_cpu or sys.platform == "win32" else "nccl")
    precision, notes = _supported_precision(settings.training.mixed_precision, on_cpu=on_cpu)
    handlers: list[Any] = [
        DistributedDataParallelKwargs(
            gradient_as_bucket_view=True, bucket_cap_mb=settings.communication.bucket_mb
        )
    ]
    if environment.distributed:
        timeout = timedelta(seconds=settings.accelerate_config.timeout)
        handlers.append(InitProcessGroupKwargs(backend=backend, timeout=timeout))
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=precision,
        kwargs_handlers=handlers,
        log_with=available_trackers(settings, notes) or None,
        project_dir=settings.paths.logs,
        step_scheduler_with_optimizer=False,
    )
    return accelerator, notes


def _machine_id() -> str:
    # The network card's address distinguishes cloned machines, which share a name.
    return f"{platform.node()}/{uuid.getnode():x}"


def _supported_precision(requested: str, *, on_cpu: bool) -> tuple[str, list[str]]:
    if requested == "fp16" and on_cpu:
        return "no", ["fp16 needs a GPU: training in fp32 on the CPU"]
    if requested == "bf16" and not on_cpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16", ["this GPU does not support bf16: training in fp16"]
    return "no" if requested == "fp32" else requested, []
