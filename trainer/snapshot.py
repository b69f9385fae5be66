"""What a checkpoint holds of a run, as named tensors, and its way back onto every rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer.optimizer import AveragedWeights

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return AdamW's state as ``moment/parameter`` tensors."""
    return {
        f"{moment}/{name}": torch.as_tensor(optimizer.state[parameter][moment])
        for name, parameter in model.named_parameters()
        if parameter in optimizer.state
        for moment in _MOMENTS
    }


def load_optimizer(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give AdamW the state that ``optimizer_tensors`` told."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = optimizer.state_dict()
    state["state"] = {
        number: {moment: tensors[f"{moment}/{names[parameter]}"] for moment in _MOMENTS}
        for number, parameter in enumerate(parameters)
        if f"step/{names[parameter]}" in tensors
    }
    optimizer.load_state_dict(state)


def share(tensors: Mapping[str, Tensor] | None, device: torch.device, size: int) -> Mapping[str, Tensor]:
    """Return rank 0's tensors on every rank; the other ranks hand in None."""
    if size == 1:
        return tensors or {}
    first = dist.get_rank() == 0
    about: list[Any] = [[(n, t.shape, t.dtype) for n, t in tensors.items()] if first and tensors else None]
    dist.broadcast_object_list(about, src=0)
    shared = {}
    for name, shape, dtype in about[0] or ():
        tensor = tensors[name].to(device) if tensors else torch.empty(shape, dtype=dtype, device=device)
        dist.broadcast(tensor, src=0)
        shared[name] = tensor
    return shared


def load_averages(average: AveragedWeights, tensors: Mapping[str, Tensor]) -> None:
    """Give the averaged weights the state that was saved, or leave them at the weights."""
    if tensors:
        average.load(dict(tensors))
