"""DiLoCo: ranks train alone for some steps, then meet (arXiv:2311.08105). For networks below 10 Gbit/s.

Between meetings each rank takes AdamW steps on its own data. At a meeting the ranks average how far they
have moved from the last common point, and an outer Nesterov step from that point takes this for its
gradient. So the network carries one gradient's worth of bytes every so many steps.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer.optimizer import AveragedWeights
from trainer.settings import Communication


class OuterStep:
    """The common point, the outer momentum, and when to meet; the same on every rank."""

    def __init__(
        self, network: nn.Module, average: AveragedWeights, options: Communication, wire: torch.dtype | None,
        size: int,
    ) -> None:  # fmt: skip
        self._names = [name for name, _ in network.named_parameters()]
        self._live = [parameter.data for parameter in network.parameters()]
        self._average, self._options, self._wire, self._size = average, options, wire, size
        self._momentum = [torch.zeros_like(parameter) for parameter in self._live]
        self._anchor: list[Tensor] = []
        self._since = 0
        self._begin()

    def _begin(self) -> None:
        self._anchor = [parameter.clone() for parameter in self._live]
        self._since = 0

    def step_done(self, step: int) -> None:
        """Count a local step, and meet when it is time."""
        self._since += 1
        if self._since >= self._options.diloco_steps:
            self.meet(step)

    @torch.no_grad()
    def meet(self, step: int) -> None:
        """Take the outer step together with all other ranks; nothing happens right after a meeting."""
        if self._since == 0:
            return
        moved = list(torch._foreach_sub(self._anchor, self._live))
        self._mean(moved)
        torch._foreach_mul_(self._momentum, self._options.outer_momentum)
        torch._foreach_add_(self._momentum, moved)
        # Nesterov: look ahead along the momentum.
        torch._foreach_add_(moved, self._momentum, alpha=self._options.outer_momentum)
        torch._foreach_sub_(self._anchor, moved, alpha=self._options.outer_learning_rate)
        torch._foreach_copy_(self._live, self._anchor)
        self._average.update(step, steps=self._since)
        self._begin()

    @torch.no_grad()
    def settle(self, optimizer: torch.optim.Optimizer) -> None:
        """Meet, and average AdamW's moments, so that one rank's state stands for all."""
        self.meet(1 << 30)
        for moment in ("exp_avg", "exp_avg_sq"):
            self._mean([state[moment] for state in optimizer.state.values()])

    def state(self) -> dict[str, Tensor]:
        """Return the outer momentum by parameter name; right after a meeting the weights are the rest."""
        return dict(zip(self._names, self._momentum, strict=True))

    @torch.no_grad()
    def restart(self, momentum: dict[str, Tensor]) -> None:
        """Begin at the present weights, with the momentum that ``state`` gave (none: from rest)."""
        for name, own in zip(self._names, self._momentum, strict=True):
            if momentum:
                own.copy_(momentum[name])
        self._begin()

    def _mean(self, tensors: list[Tensor]) -> None:
        """Average over all ranks, in place, as one message."""
        if self._size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).div_(self._size)
        sent = flat.to(self._wire) if self._wire is not None else flat
        dist.all_reduce(sent)
        at = 0
        for tensor in tensors:
            tensor.copy_(sent[at : at + tensor.numel()].view_as(tensor))
            at += tensor.numel()
