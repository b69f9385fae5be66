"""Flow matching on pixels: the loss, and sampling.

The noisy plan is z = t x + (1 - t) s e: x is the clean plan, e standard noise, s the noise scale, and the
time t runs from 0, all noise, to 1, clean. The network predicts x. In palette mode x is one-hot and
cross-entropy is the loss; the softmax is then the expectation E[x | z] that the sampler needs, so the same
ODE serves both modes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.model.config import ModelConfig
from trainer.model.transformer import FloorPlanTransformer


class FlowMatching:
    """The path between noise and plan."""

    def __init__(self, config: ModelConfig, noise_scale: float) -> None:
        self.config = config
        self.noise_scale = noise_scale

    def clean_plans(self, images: Tensor) -> Tensor:
        """Return plans (B, C, H, W), one-hot or in [-1, 1], of stored images (uint8)."""
        if self.config.classes:
            # F.one_hot would create an int64 tensor, eight times as large.
            classes = torch.arange(self.config.classes, device=images.device, dtype=images.dtype)
            return (images[:, None] == classes[:, None, None]).float()
        return images.permute(0, 3, 1, 2).float() / 127.5 - 1

    def loss(
        self, model: nn.Module, images: Tensor, tokens: Tensor, noise: Tensor, t: Tensor, keep_text: Tensor
    ) -> Tensor:
        """Return the mean loss of a batch; ``keep_text`` (B,) is false where the text is dropped."""
        z = self._add_noise(self.clean_plans(images), noise, t)
        keep_tokens = keep_text.view(-1, *[1] * (tokens.ndim - 1))
        prediction = model(z, t, torch.where(keep_tokens, tokens, 0)).float()
        if self.config.classes:
            return F.cross_entropy(prediction, images.long())
        # The squared error of the velocity (x - z) / (1 - t), bounded near the clean end.
        weight = 1 / (1 - t).clamp_min(0.05) ** 2
        error = (prediction - self.clean_plans(images)).square().mean((1, 2, 3))
        mean: Tensor = (weight * error).mean()
        return mean

    def random_inputs(
        self, images: Tensor, text_dropout: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the random inputs of a batch's loss: noise, times, and which texts are kept."""
        size, device, batch = self.config.image_size, images.device, len(images)
        noise = torch.randn(batch, self.config.channels, size, size, generator=generator, device=device)
        t = torch.sigmoid(torch.randn(batch, generator=generator, device=device) * 0.8 - 0.8)
        keep_text = torch.rand(batch, generator=generator, device=device) >= text_dropout
        return noise, t, keep_text

    def _add_noise(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        t = t[:, None, None, None]
        return self._network_input(t * x + (1 - t) * self.noise_scale * noise, t)

    def _network_input(self, z: Tensor, t: Tensor) -> Tensor:
        """Return z scaled to about unit variance at any time."""
        return z / (t.square() + ((1 - t) * self.noise_scale).square()).sqrt()

    @torch.no_grad()
    def sample(
        self,
        model: FloorPlanTransformer,
        tokens: Tensor,
        *,
        steps: int,
        guidance: float,
        generator: torch.Generator,
    ) -> Tensor:
        """Return one plan per text as uint8: classes (B, H, W), or RGB (B, H, W, 3).

        Integrates dz/dt = (E[x | z] - z) / (1 - t) with Euler steps. Classifier-free guidance moves the
        prediction away from the one without text; a scale of 1 turns it off.
        """
        size, batch = self.config.image_size, len(tokens)
        z = torch.randn(batch, self.config.channels, size, size, generator=generator, device=tokens.device)
        z = z * self.noise_scale
        guided = guidance != 1.0
        text = model.encode(torch.cat([tokens, torch.zeros_like(tokens)]) if guided else tokens)
        times = torch.linspace(0, 1, steps + 1, device=tokens.device)
        for time, next_time in itertools.pairwise(times):
            t = time.expand(len(text))
            network_input = self._network_input(z, time)
            x = model.decode(torch.cat([network_input] * 2) if guided else network_input, t, text).float()
            if guided:
                with_text, without_text = x.chunk(2)
                x = without_text + guidance * (with_text - without_text)
            x = x.softmax(1) if self.config.classes else x.clamp(-1, 1)
            z = z + (next_time - time) / (1 - time) * (x - z)
        # The last step ends at t = 1, where z equals the prediction.
        if self.config.classes:
            return z.argmax(1).to(torch.uint8)
        return ((z.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class LossModule(nn.Module):
    """The module that DDP wraps: its forward returns the loss of the network.

    ``loss`` is :meth:`FlowMatching.loss`, or its compiled version.
    """

    def __init__(self, network: FloorPlanTransformer, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, images: Tensor, tokens: Tensor, noise: Tensor, t: Tensor, keep_text: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        return self._loss(self.network, images, tokens, noise, t, keep_text)
