"""A loss that ``torch.compile`` fuses into few kernels, and on a GPU records as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class CompiledLoss:
    """Compiles ``loss``; the first call takes a minute or two.

    ``cuda_graphs`` records the kernels of the forward and backward pass. A step has over a thousand kernels,
    and with a small batch, launching them takes the CPU longer than the GPU needs to compute. The gradients
    then are in memory that the next step overwrites, so they cannot be accumulated over several calls. This
    memory stays reserved between steps.

    ``split_at_buckets`` ends a graph at each DDP bucket, so that gradients are sent while others are
    computed. Between GPUs of one machine, sending is so fast that one graph is faster.
    """

    def __init__(self, loss: Callable[..., Tensor], *, cuda_graphs: bool, split_at_buckets: bool) -> None:
        # Applies to the whole process.
        torch._dynamo.config.optimize_ddp = split_at_buckets
        self._cuda_graphs = cuda_graphs
        self._loss = torch.compile(loss, mode="reduce-overhead" if cuda_graphs else None)

    def __call__(self, *inputs: object) -> Tensor:
        """Return the loss; the shapes of the inputs must be the same in each call."""
        if self._cuda_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return self._loss(*inputs)
