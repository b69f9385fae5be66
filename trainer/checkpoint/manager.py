"""Saves the state of a run into checkpoints, and restores it on every rank."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer.checkpoint.resume import select_checkpoint
from trainer.checkpoint.storage import Checkpoint, CheckpointStore, load_weights
from trainer.dataset.palette import Palette
from trainer.distributed.context import DistributedContext
from trainer.distributed.diloco import OuterOptimizer
from trainer.errors import CheckpointError
from trainer.metrics_logger import MetricsLogger
from trainer.model.config import ModelConfig
from trainer.model.ema import ExponentialMovingAverage
from trainer.model.transformer import FloorPlanTransformer
from trainer.progress import TrainingProgress
from trainer.settings import Settings

_ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")


class CheckpointManager:
    """The checkpoints of a run; only rank 0 reads and writes files."""

    def __init__(
        self, settings: Settings, context: DistributedContext, logger: MetricsLogger, folder: Path,
        palette: Palette | None, text_encoder: Mapping[str, str] | None, held_out: str,
    ) -> None:  # fmt: skip
        self.store = CheckpointStore(folder, settings.training.max_checkpoints)
        self.last_saved_step = -1
        #: Whether the run resumed from weights that may have been trained on the pairs that it now holds out.
        self.has_trained_on_held_out = False
        self._settings, self._context, self._logger = settings, context, logger
        self._palette, self._text_encoder, self._held_out = palette, text_encoder, held_out
        self._resumed: Checkpoint | None = None

    def load_weights(self, selection: str, network: FloorPlanTransformer) -> None:
        """Select a checkpoint (``auto``, ``none`` or a path) and load its weights, on rank 0 only.

        DDP sends them to the other ranks. Raises CheckpointError if the checkpoint does not fit this run.
        """
        if self._context.rank != 0:
            return
        self._resumed = select_checkpoint(selection, self._settings, self._logger.info)
        if self._resumed is None:
            return
        state = self._resumed.state
        saved = (ModelConfig(**state["shape"]), state["palette"])
        if saved != (network.config, _colours(self._palette)):
            raise CheckpointError(
                f"{self._resumed.folder} is of another network or palette",
                "use --resume none, or the options and data of that checkpoint",
            )
        if _fingerprint(state.get("text_encoder")) != _fingerprint(self._text_encoder):
            raise CheckpointError(
                f"{self._resumed.folder} was trained with another pretrained text encoder",
                "use --resume none, or set model.pretrained to that encoder",
            )
        load_weights(network, self._resumed.tensors("model"))

    def restore(
        self, network: nn.Module, optimizer: Any, ema: ExponentialMovingAverage, outer: OuterOptimizer | None
    ) -> TrainingProgress:
        """Restore the rest of the selected checkpoint on every rank, and return its position."""
        context = self._context
        state = context.broadcast(dict(self._resumed.state) if self._resumed else None)
        if state is None:
            return TrainingProgress()
        ema.load_state_dict(self._broadcast_tensors("ema"))
        _load_optimizer(network, optimizer.optimizer, self._broadcast_tensors("optimizer"))
        if outer:
            outer.load_state_dict(self._broadcast_tensors("outer"))
        if context.accelerator.scaler is not None and state["scaler"]:
            context.accelerator.scaler.load_state_dict(state["scaler"])
        progress = TrainingProgress.from_state(state)
        self.last_saved_step = progress.step
        source = self._resumed.folder.as_posix() if self._resumed else "rank 0's checkpoint"
        self._logger.info(f"Resumed from {source} at step {progress.step}, {progress.samples} pairs seen")
        # data/val is never trained on. Checkpoints of older versions do not say what was held out: nothing.
        if self._held_out.startswith("split") and state.get("held_out") != self._held_out:
            self.has_trained_on_held_out = True
            self._logger.info(f"{source} was trained on all pairs: evaluations are of training pairs")
        return progress

    def save(
        self, network: FloorPlanTransformer, optimizer: Any, ema: ExponentialMovingAverage,
        outer: OuterOptimizer | None, progress: TrainingProgress,
    ) -> None:  # fmt: skip
        """Save a checkpoint; must be called on every rank."""
        self._logger.enter_phase("saving")
        self.last_saved_step = progress.step
        if outer:
            # Makes the state of rank 0 that of all ranks.
            outer.synchronize(optimizer.optimizer)
        if self._context.rank != 0:
            return
        started = time.monotonic()
        scaler = self._context.accelerator.scaler
        tensors = {
            "model": network.state_dict(),
            "ema": ema.state_dict(),
            "optimizer": _optimizer_tensors(network, optimizer.optimizer),
        }
        if outer:
            tensors["outer"] = outer.state_dict()
        state = {
            **progress.as_dict(),
            "saved_at": time.time(),
            "settings": self._settings.as_dict(),
            "shape": vars(network.config),
            "palette": _colours(self._palette),
            "noise_scale": self._settings.noise_scale,
            "text_encoder": self._text_encoder,
            "held_out": "none" if self.has_trained_on_held_out else self._held_out,
            "scaler": scaler.state_dict() if scaler is not None else None,
            "world_size": self._context.world_size,
        }
        folder = self.store.save(tensors, state)
        seconds = time.monotonic() - started
        self._logger.record("ckpt", step=progress.step, path=folder.as_posix(), seconds=seconds)
        self._logger.info(f"Checkpoint {folder.as_posix()} ({seconds:.1f} s)")

    def _broadcast_tensors(self, name: str) -> dict[str, Tensor]:
        """Return rank 0's tensors of the selected checkpoint on every rank."""
        own = self._resumed.tensors(name) if self._resumed and self._resumed.has_tensors(name) else {}
        if self._context.world_size == 1:
            return own
        tensors = {}
        for key, shape, dtype in self._context.broadcast([(k, t.shape, t.dtype) for k, t in own.items()]):
            device = self._context.device
            tensor = own[key].to(device) if own else torch.empty(shape, dtype=dtype, device=device)
            dist.broadcast(tensor, src=0)
            tensors[key] = tensor
        return tensors


def _fingerprint(text_encoder: Mapping[str, str] | None) -> str:
    return text_encoder["fingerprint"] if text_encoder else ""


def _colours(palette: Palette | None) -> list[list[int]] | None:
    return [list(colour) for colour in palette.colours] if palette else None


def _optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return AdamW's state as tensors that are named ``state/parameter``."""
    return {
        f"{name}/{parameter_name}": torch.as_tensor(optimizer.state[parameter][name])
        for parameter_name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for name in _ADAMW_STATE
    }


def _load_optimizer(
    network: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    names = {parameter: name for name, parameter in network.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {
        number: {name: tensors[f"{name}/{names[parameter]}"] for name in _ADAMW_STATE}
        for number, parameter in enumerate(parameters)
        if f"step/{names[parameter]}" in tensors
    }
    optimizer.load_state_dict(state)
