"""A small network and a batch for tests of the model."""

from __future__ import annotations

import torch

from trainer.model.config import model_config
from trainer.model.transformer import FloorPlanTransformer

CLASSES = 12


def make_network(classes: int = CLASSES, **options: bool) -> FloorPlanTransformer:
    torch.manual_seed(0)
    config = model_config("tiny", image_size=32, text_tokens=8, vocabulary=64, classes=classes)
    network = FloorPlanTransformer(config, **options)
    # Many initial weights are zero; random ones let every parameter have an effect.
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network


def make_batch(classes: int = CLASSES) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images and token ids."""
    generator = torch.Generator().manual_seed(1)
    size = (2, 32, 32) if classes else (2, 32, 32, 3)
    images = torch.randint(0, classes or 256, size, generator=generator, dtype=torch.uint8)
    return images, torch.randint(1, 64, (2, 8), generator=generator, dtype=torch.int32)
