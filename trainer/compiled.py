"""A loss that ``torch.compile`` turns into few kernels, and on a GPU into two launches a step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class CompiledLoss:
    """``loss`` compiled; the first call takes a minute or two.

    ``graphs`` records its kernels, and those of its gradients, as CUDA graphs. A step launches over a
    thousand, and with a small batch that takes the processor longer than the GPU needs to compute.
    Gradients are then in memory that the next step writes to, so they can't be added up over several;
    and that memory is nobody else's between steps.

    ``cuts`` ends a graph at each of DDP's buckets, so that gradients travel while others are computed.
    Between GPUs of one machine they travel so fast that uncut is faster.
    """

    def __init__(self, loss: Callable[..., Tensor], *, graphs: bool, cuts: bool) -> None:
        # A setting of the process, and so of every loss in it.
        torch._dynamo.config.optimize_ddp = cuts
        self._graphs = graphs
        self._loss = torch.compile(loss, mode="reduce-overhead" if graphs else None)

    def __call__(self, *inputs: object) -> Tensor:
        """Return what the loss returns, of inputs of the same shapes each time."""
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self._loss(*inputs)
