"""DiLoCo (arXiv:2311.08105): ranks take local steps and average from time to time, for slow networks.

Between two outer steps, each rank takes AdamW steps on its own data. For an outer step, the ranks average how
far they have moved from the last common weights; this average is the gradient of an outer optimizer, SGD with
Nesterov momentum. So the ranks exchange one gradient's worth of bytes per outer step instead of per step.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer.model.ema import ExponentialMovingAverage
from trainer.settings import Communication


class OuterOptimizer:
    """The common weights and the outer momentum; identical on every rank after an outer step."""

    def __init__(
        self, network: nn.Module, ema: ExponentialMovingAverage, options: Communication,
        dtype: torch.dtype | None, world_size: int,
    ) -> None:  # fmt: skip
        self._names = [name for name, _ in network.named_parameters()]
        self._weights = [parameter.data for parameter in network.parameters()]
        self._ema, self._options, self._dtype, self._world_size = ema, options, dtype, world_size
        self._momentum = [torch.zeros_like(parameter) for parameter in self._weights]
        self._common_weights: list[Tensor] = []
        self._local_steps = 0
        self._start_round()

    def _start_round(self) -> None:
        self._common_weights = [parameter.clone() for parameter in self._weights]
        self._local_steps = 0

    def after_local_step(self, step: int) -> None:
        """Count a local step, and take an outer step after ``diloco_steps`` of them."""
        self._local_steps += 1
        if self._local_steps >= self._options.diloco_steps:
            self.outer_step(step)

    @torch.no_grad()
    def outer_step(self, step: int) -> None:
        """Take an outer step together with all other ranks; does nothing without local steps."""
        if self._local_steps == 0:
            return
        gradient = list(torch._foreach_sub(self._common_weights, self._weights))
        self._average(gradient)
        torch._foreach_mul_(self._momentum, self._options.outer_momentum)
        torch._foreach_add_(self._momentum, gradient)
        # Nesterov momentum.
        torch._foreach_add_(gradient, self._momentum, alpha=self._options.outer_momentum)
        torch._foreach_sub_(self._common_weights, gradient, alpha=self._options.outer_learning_rate)
        torch._foreach_copy_(self._weights, self._common_weights)
        self._ema.update(step, steps=self._local_steps)
        self._start_round()

    @torch.no_grad()
    def synchronize(self, optimizer: torch.optim.Optimizer) -> None:
        """Take an outer step and average AdamW's moments, so that rank 0's state is that of all ranks."""
        self.outer_step(1 << 30)
        for moment in ("exp_avg", "exp_avg_sq"):
            self._average([state[moment] for state in optimizer.state.values()])

    def state_dict(self) -> dict[str, Tensor]:
        """Return the outer momentum by parameter name; after an outer step there is no other state."""
        return dict(zip(self._names, self._momentum, strict=True))

    @torch.no_grad()
    def load_state_dict(self, momentum: dict[str, Tensor]) -> None:
        """Start from the present weights with this momentum; an empty dict keeps the momentum."""
        for name, own in zip(self._names, self._momentum, strict=True):
            if momentum:
                own.copy_(momentum[name])
        self._start_round()

    def _average(self, tensors: list[Tensor]) -> None:
        """Average over all ranks, in place, in one message."""
        if self._world_size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).div_(self._world_size)
        sent = flat.to(self._dtype) if self._dtype is not None else flat
        dist.all_reduce(sent)
        offset = 0
        for tensor in tensors:
            tensor.copy_(sent[offset : offset + tensor.numel()].view_as(tensor))
            offset += tensor.numel()
