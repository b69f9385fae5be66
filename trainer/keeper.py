"""Saves a run and brings it back: what is in a checkpoint, and its way onto every rank."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer import resume
from trainer.checkpoints import Checkpoint, CheckpointFolder, load_weights
from trainer.diloco import OuterStep
from trainer.errors import CheckpointError
from trainer.journal import Journal
from trainer.model import Shape
from trainer.optimizer import AveragedWeights
from trainer.palette import Palette
from trainer.progress import Progress
from trainer.settings import Settings
from trainer.world import World

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Keeper:
    """The checkpoints of a run; only rank 0 reads and writes files."""

    def __init__(
        self, settings: Settings, world: World, journal: Journal, folder: Path, palette: Palette | None,
        text_encoder: Mapping[str, str] | None,
    ) -> None:  # fmt: skip
        self.folder = CheckpointFolder(folder, settings.training.max_checkpoints)
        self.last_saved = -1
        self._settings, self._world, self._journal = settings, world, journal
        self._palette, self._text_encoder = palette, text_encoder
        self._from: Checkpoint | None = None

    def choose(self, wanted: str, network: nn.Module, shape: Shape) -> None:
        """Choose what to go on from (``auto``, ``none`` or a path) and load the weights on rank 0."""
        if self._world.rank != 0:
            return
        self._from = resume.choose(wanted, self._settings, self._journal.say)
        if self._from is None:
            return
        state = self._from.state
        if (Shape(**state["shape"]), state["palette"]) != (shape, _colours(self._palette)):
            raise CheckpointError(
                f"{self._from.folder} is of another network or palette",
                "use --resume none, or the options and data it was made with",
            )
        if _fingerprint(state.get("text_encoder")) != _fingerprint(self._text_encoder):
            raise CheckpointError(
                f"{self._from.folder} was trained with another pretrained text encoder",
                "use --resume none, or name that encoder in model.pretrained",
            )
        load_weights(network, self._from.tensors("model"))

    def restore(
        self, network: nn.Module, optimizer: Any, average: AveragedWeights, outer: OuterStep | None
    ) -> Progress:
        """Bring the rest of the chosen checkpoint to every rank; return the position, 0 without one."""
        world = self._world
        state = world.from_first(dict(self._from.state) if self._from else None)
        if state is None:
            return Progress()
        average.load(self._shared("ema"))
        _load_optimizer(network, optimizer.optimizer, self._shared("optimizer"))
        if outer:
            outer.restart(self._shared("outer"))
        if world.accelerator.scaler is not None and state["scaler"]:
            world.accelerator.scaler.load_state_dict(state["scaler"])
        progress = Progress.saved(state)
        self.last_saved = progress.step
        where = self._from.folder.as_posix() if self._from else "rank 0's checkpoint"
        self._journal.say(f"Resumed from {where} at step {progress.step}, {progress.samples} pairs seen")
        return progress

    def save(
        self, network: nn.Module, optimizer: Any, average: AveragedWeights, outer: OuterStep | None,
        progress: Progress,
    ) -> None:  # fmt: skip
        """Write a checkpoint; every rank calls this."""
        self._journal.phase("saving")
        self.last_saved = progress.step
        if outer:
            # After this all ranks stand at the same point, so that rank 0's state is everybody's.
            outer.settle(optimizer.optimizer)
        if self._world.rank != 0:
            return
        begun = time.monotonic()
        scaler = self._world.accelerator.scaler
        tensors = {
            "model": network.state_dict(),
            "ema": average.state(),
            "optimizer": _optimizer_tensors(network, optimizer.optimizer),
        }
        if outer:
            tensors["outer"] = outer.state()
        state = {
            **progress.as_dict(),
            "saved_at": time.time(),
            "settings": self._settings.as_dict(),
            "shape": vars(network.shape),
            "palette": _colours(self._palette),
            "noise_scale": self._settings.noise_scale,
            "text_encoder": self._text_encoder,
            "scaler": scaler.state_dict() if scaler is not None else None,
            "world_size": self._world.size,
        }
        folder = self.folder.save(tensors, state)
        seconds = time.monotonic() - begun
        self._journal.record("ckpt", step=progress.step, path=folder.as_posix(), seconds=seconds)
        self._journal.say(f"Checkpoint {folder.as_posix()} ({seconds:.1f} s)")

    def _shared(self, name: str) -> dict[str, Tensor]:
        """Return rank 0's tensors of a name on every rank."""
        own = self._from.tensors(name) if self._from and self._from.has(name) else {}
        if self._world.size == 1:
            return own
        shared = {}
        for key, shape, dtype in self._world.from_first([(k, t.shape, t.dtype) for k, t in own.items()]):
            device = self._world.device
            tensor = own[key].to(device) if own else torch.empty(shape, dtype=dtype, device=device)
            dist.broadcast(tensor, src=0)
            shared[key] = tensor
        return shared


def _fingerprint(text_encoder: Mapping[str, str] | None) -> str:
    return text_encoder["fingerprint"] if text_encoder else ""


def _colours(palette: Palette | None) -> list[list[int]] | None:
    return [list(colour) for colour in palette.colours] if palette else None


def _optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return AdamW's state as ``moment/parameter`` tensors."""
    return {
        f"{moment}/{name}": torch.as_tensor(optimizer.state[parameter][moment])
        for name, parameter in network.named_parameters()
        if parameter in optimizer.state
        for moment in _MOMENTS
    }


def _load_optimizer(
    network: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    names = {parameter: name for name, parameter in network.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {
        number: {moment: tensors[f"{moment}/{names[parameter]}"] for moment in _MOMENTS}
        for number, parameter in enumerate(parameters)
        if f"step/{names[parameter]}" in tensors
    }
    optimizer.load_state_dict(state)
