"""AdamW over two groups, the learning rate as a function of progress, and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from trainer.settings import Training


def adamw(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """Return AdamW that decays matrices only (no norms, biases, embeddings or positions)."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim >= 2 and not name.endswith(("positions", "modulation", "words.weight"))
        (decayed if matrix else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.95), fused=True)


def learning_rate(training: Training, step: int, progress: float) -> float:
    """Return the rate of step ``step`` (from 0): linear warm-up, then a cosine over ``progress`` 0 to 1."""
    warmed = min(1.0, (step + 1) / max(1, training.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    low = training.final_learning_rate
    return training.learning_rate * warmed * (low + (1 - low) * cosine)


class AveragedWeights:
    """An exponential average of a model's parameters, the same on every rank."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._live = [p for p in model.parameters() if p.requires_grad]
        self._names = [name for name, p in model.named_parameters() if p.requires_grad]
        self._mean = [p.detach().clone() for p in self._live]

    @torch.no_grad()
    def update(self, step: int, steps: int = 1) -> None:
        """Take in the weights after step ``step`` (from 0), which stand for ``steps`` steps.

        Early steps count more, so that nothing of the first weights is left.
        """
        decay = min(self._decay, (1 + step) / (10 + step)) ** steps
        torch._foreach_lerp_(self._mean, [parameter.data for parameter in self._live], 1 - decay)

    def state(self) -> dict[str, torch.Tensor]:
        """Return the averages by parameter name."""
        return dict(zip(self._names, self._mean, strict=True))

    @torch.no_grad()
    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take averages that ``state`` gave."""
        for name, mean in zip(self._names, self._mean, strict=True):
            mean.copy_(state[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages into the model for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for live, mean in zip(self._live, self._mean, strict=True):
            kept = live.detach().clone()
            live.copy_(mean)
            mean.copy_(kept)
