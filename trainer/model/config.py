"""The dimensions of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainer.errors import ConfigError


@dataclass(frozen=True)
class ModelConfig:
    """Everything that determines the shapes of the weights; checkpoints store these fields."""

    image_size: int
    patch: int
    width: int
    depth: int
    heads: int
    text_depth: int
    text_tokens: int
    vocabulary: int
    #: Classes of the palette, 0 in RGB mode.
    classes: int
    #: Width of the states of a pretrained text encoder, 0 for hashed words.
    text_width: int = 0

    @property
    def channels(self) -> int:
        """Channels of a plan."""
        return self.classes or 3

    @property
    def tokens(self) -> int:
        """Patches of a plan."""
        return (self.image_size // self.patch) ** 2

    def forward_flops(self) -> int:
        """Return the floating-point operations of the matrix products of one forward pass per plan.

        A training step takes three times as many (six operations per weight and token, the usual count for
        MFU).
        """
        d, n, m = self.width, self.tokens, self.text_tokens
        patches = 2 * n * self.patch**2 * self.channels * d * 2
        # Per token: self-attention has 4 d^2 weights, feed-forward 8 d^2; scores and weighted sums are n x n.
        self_attention = n * 12 * d * d * 2 + 4 * n * n * d
        cross_attention = (2 * n + 2 * m) * d * d * 2 + 4 * n * m * d
        text_block = m * 12 * d * d * 2 + 4 * m * m * d
        text_projection = m * self.text_width * d * 2
        blocks = self.depth * (self_attention + cross_attention)
        return patches + blocks + text_projection + self.text_depth * text_block


# Heads are 128 wide: with 64, attention kernels spend more time on exponentials than on matrix products.
MODEL_SIZES = {
    "tiny": {"patch": 4, "width": 96, "depth": 3, "heads": 3, "text_depth": 1},
    "S/16": {"patch": 16, "width": 384, "depth": 12, "heads": 3, "text_depth": 4},
    "S/8": {"patch": 8, "width": 384, "depth": 12, "heads": 3, "text_depth": 4},
    "B/16": {"patch": 16, "width": 768, "depth": 12, "heads": 6, "text_depth": 4},
}


def model_config(
    size: str, *, image_size: int, text_tokens: int, vocabulary: int, classes: int, text_width: int = 0
) -> ModelConfig:
    """Return the config of a named size; raises ConfigError if patches do not divide the image."""
    unsized = ModelConfig(image_size, 0, 0, 0, 0, 0, text_tokens, vocabulary, classes, text_width)
    config = replace(unsized, **MODEL_SIZES[size])
    if image_size % config.patch:
        raise ConfigError(
            f"images of {image_size} pixels cannot be divided into patches of {config.patch} ({size})",
            "choose another data.image_size or model.size",
        )
    return config
