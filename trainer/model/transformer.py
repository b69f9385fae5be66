"""The network: a plain vision transformer that predicts a floor plan from a noisy one and a text.

Its inputs are a noisy plan z, a time t and the text; its output is the clean plan (JiT, arXiv:2511.13720). A
plan is RGB, or in palette mode one-hot over the classes; then the output is logits.

Text is hashed words (trainer.dataset.tokenizer), or the states of a frozen encoder
(trainer.dataset.pretrained_encoder). The network's own text encoder processes it once per plan, and the
blocks cross-attend to the result. Padding positions hold a learned vector instead of being masked, since a
mask would keep attention from its fastest kernels.

The names of parameters are in checkpoints, so attributes of modules keep their names.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainer.model.config import ModelConfig


def rms_normalize(x: Tensor) -> Tensor:
    """Return x (..., d) with its vectors scaled to unit mean square, in x's precision.

    The norm's learned gain belongs to the layer that follows, see :class:`FoldedGainLinear`.
    """
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


class FoldedGainLinear(nn.Linear):
    """A linear layer for normalized inputs that holds the gain of the norm before it.

    Multiplying the gain into the weight's columns gives the same result as in the norm. In the norm, the
    gain's gradient would be a sum over all tokens of the batch; here it is a sum over the weight's rows.
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = False) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.gain = nn.Parameter(torch.ones(in_features))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias)


class TextStateProjection(nn.Module):
    """Projects the states of a pretrained encoder to the network's width; padding becomes the bias."""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.matrix = FoldedGainLinear(text_width, width, bias=True)

    def forward(self, states: Tensor) -> Tensor:
        """Return (B, T, d) for states (B, T, text_width), which are zero at padding."""
        projected: Tensor = self.matrix(rms_normalize(states.float()))
        return projected


class Attention(nn.Module):
    """Multi-head attention with normalized queries and keys, for self- and cross-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # Three products instead of one that is split: norms of slices compile to slow kernels.
        self.query, self.key, self.value = (FoldedGainLinear(width, width) for _ in range(3))
        # For queries only, since a scale of the keys would multiply the same scores.
        self.scale = nn.Parameter(torch.ones(width // heads))
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Return (B, N, d): x (B, N, d) attends to memory (B, M, d)."""
        # Heads stay behind tokens, (B, N, h, d / h), as the products return them; the kernels accept this
        # layout.
        heads = (self.heads, -1)
        q = rms_normalize(self.query(x).unflatten(-1, heads))
        k = rms_normalize(self.key(memory).unflatten(-1, heads))
        v = self.value(memory).unflatten(-1, heads)
        q, k, v = (q * self.scale.to(q.dtype)).transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        output: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return output


def feed_forward(width: int) -> nn.Sequential:
    """Return the two-layer MLP of a block."""
    expand, contract = FoldedGainLinear(width, 4 * width), nn.Linear(4 * width, width, bias=False)
    return nn.Sequential(expand, nn.GELU(approximate="tanh"), contract)


class TextEncoderBlock(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention, self.mlp = Attention(width, heads), feed_forward(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for x (B, T, d)."""
        h = rms_normalize(x)
        x = x + self.attention(h, h)
        x = x + self.mlp(rms_normalize(x))
        return x  # noqa: RET504


class DiTBlock(nn.Module):
    """A layer over patches: self-attention, cross-attention to the text, MLP; with adaLN by the time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention, self.cross = Attention(width, heads), Attention(width, heads)
        self.mlp = feed_forward(width)
        # The time's modulation is the same for all blocks; each block adds its own constant.
        self.modulation = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, text: Tensor, modulation: Tensor) -> Tensor:
        """Return the layer's output for x (B, N, d), text (B, T, d) and modulation (B, 6, d)."""
        modulation = (modulation + self.modulation).to(x.dtype)
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation.unsqueeze(2).unbind(1)
        h = rms_normalize(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h, h)
        x = x + self.cross(rms_normalize(x), text)
        x = x + gate2 * self.mlp(rms_normalize(x) * (1 + scale2) + shift2)
        return x  # noqa: RET504


class FloorPlanTransformer(nn.Module):
    """(noisy plan (B, C, H, W), time (B,), tokens) -> logits or RGB (B, C, H, W).

    Tokens are ids (B, T), or states (B, T, text_width) of a pretrained encoder; zero is padding.
    """

    def __init__(self, config: ModelConfig, *, gradient_checkpointing: bool = False) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = gradient_checkpointing
        d, patch = config.width, config.patch**2 * config.channels
        self.words = (
            TextStateProjection(config.text_width, d)
            if config.text_width
            else nn.Embedding(config.vocabulary, d)
        )
        self.word_positions = nn.Parameter(torch.zeros(config.text_tokens, d))
        self.text_blocks = nn.ModuleList(TextEncoderBlock(d, config.heads) for _ in range(config.text_depth))
        self.patches = nn.Linear(patch, d)
        self.patch_positions = nn.Parameter(sincos_position_embedding(config.image_size // config.patch, d))
        self.time = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.blocks = nn.ModuleList(DiTBlock(d, config.heads) for _ in range(config.depth))
        self.head = FoldedGainLinear(d, patch, bias=True)
        self._init_weights()

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if isinstance(self.words, nn.Embedding):
            nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.word_positions, std=0.02)
        # Each block starts as the identity (adaLN-Zero), and the first prediction is zero.
        for name, parameter in self.named_parameters():
            if name.startswith(("modulation.", "head.weight", "head.bias")) or ".cross.out." in name:
                nn.init.zeros_(parameter)

    def encode(self, tokens: Tensor) -> Tensor:
        """Return the encoded text (B, T, d); sampling computes it once for all its steps."""
        x = _to_autocast_dtype(self.words(tokens) + self.word_positions)
        for block in self.text_blocks:
            x = self._run_block(block, x)
        return rms_normalize(x)

    def forward(self, z: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """Return the predicted clean plan."""
        return self.decode(z, t, self.encode(tokens))

    def decode(self, z: Tensor, t: Tensor, text: Tensor) -> Tensor:
        """Return the predicted clean plan for a text that ``encode`` returned."""
        config, side = self.config, self.config.image_size // self.config.patch
        split = (-1, config.channels, side, config.patch, side, config.patch)
        x = self.patches(z.reshape(split).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2))
        x = _to_autocast_dtype(x + self.patch_positions)
        modulation = self.modulation(self.time(timestep_embedding(t)) + text.mean(1)).view(
            -1, 6, config.width
        )
        for block in self.blocks:
            x = self._run_block(block, x, text, modulation)
        merged = (-1, side, side, config.channels, config.patch, config.patch)
        plan: Tensor = self.head(rms_normalize(x)).view(merged).permute(0, 3, 1, 4, 2, 5).reshape(z.shape)
        return plan

    def _run_block(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(block, *inputs, use_reentrant=False)  # type: ignore[no-any-return]
        return block(*inputs)  # type: ignore[no-any-return]


def _to_autocast_dtype(x: Tensor) -> Tensor:
    """Return x in autocast's precision if autocast is enabled.

    The residual stream would stay in fp32 otherwise, because the position embeddings are, and reading and
    writing it would take as long as the computation.
    """
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def timestep_embedding(t: Tensor) -> Tensor:
    """Return the sinusoidal embedding (B, 256) of times (B,) in [0, 1]."""
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(128, device=t.device) / 128)
    angles = 1000.0 * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


def sincos_position_embedding(side: int, width: int) -> Tensor:
    """Return the sinusoidal embedding (side * side, width) of rows and columns; it is trained further."""
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = line[:, None].expand(side, side, -1), line[None].expand(side, side, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)
