"""An exponential moving average of the weights, which evaluation and sampling use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class ExponentialMovingAverage:
    """The moving average of a model's parameters; identical on every rank."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._names = [name for name, p in model.named_parameters() if p.requires_grad]
        self._averages = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self, step: int, steps: int = 1) -> None:
        """Add the weights after ``step`` (from 0) to the average, with the weight of ``steps`` steps.

        The decay starts small, so that the initial weights are soon forgotten.
        """
        decay = min(self._decay, (1 + step) / (10 + step)) ** steps
        torch._foreach_lerp_(self._averages, [parameter.data for parameter in self._parameters], 1 - decay)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averages by parameter name."""
        return dict(zip(self._names, self._averages, strict=True))

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Copy averages that ``state_dict`` returned."""
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(state[name])

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Use the averages as the model's weights within the context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._parameters, self._averages, strict=True):
            saved = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(saved)
