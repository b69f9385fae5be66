"""AdamW with two parameter groups, and the learning rate schedule."""

from __future__ import annotations

import math

import torch
from torch import nn

from trainer.settings import Training


def create_optimizer(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """Return AdamW with weight decay for matrices only (not gains, biases, embeddings or positions)."""
    decayed: list[nn.Parameter] = []
    not_decayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim >= 2 and not name.endswith(("positions", "modulation", "words.weight"))
        (decayed if is_matrix else not_decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": not_decayed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=(0.9, 0.95), fused=True)


def scheduled_learning_rate(training: Training, step: int, progress: float) -> float:
    """Return the rate of ``step`` (from 0): linear warm-up by steps, cosine decay by ``progress``, 0 to 1."""
    warmup = min(1.0, (step + 1) / max(1, training.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    final = training.final_learning_rate
    return training.learning_rate * warmup * (final + (1 - final) * cosine)
