"""The network, its loss and its sampler: text to floor plan by flow matching on pixels.

A plain vision transformer looks at a noisy plan z = t x + (1 - t) s e (x the clean plan, e standard noise,
s the noise scale, t from 0, all noise, to 1, clean) and predicts the clean plan (JiT, arXiv:2511.13720). A
plan is either RGB, or in palette mode a one-hot vector of K classes a pixel: then the network gives logits,
cross-entropy is the loss, and the softmax is the expectation E[x | z] that the sampler needs, so the same
ODE serves both.

Text comes as hashed words (trainer.words), or as the states of a frozen encoder (trainer.pretrained). Our
own encoder runs on them once a plan; the blocks attend to what it gives. Empty places hold a learned vector
instead of being masked, which keeps attention on its fast path.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainer.errors import ConfigError


@dataclass(frozen=True)
class Shape:
    """What fixes the weights: the sizes of picture, text and network."""

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
    #: Numbers a token of a pretrained encoder's states; 0: hashed words.
    text_width: int = 0

    @property
    def channels(self) -> int:
        """Numbers a pixel."""
        return self.classes or 3

    @property
    def tokens(self) -> int:
        """Patches of a plan."""
        return (self.image_size // self.patch) ** 2

    def forward_flops(self) -> int:
        """Return floating-point operations of the matrix products for one plan, forward only.

        A training step costs three times that (six operations a weight and token, as is usual for MFU).
        """
        d, n, m = self.width, self.tokens, self.text_tokens
        patches = 2 * n * self.patch**2 * self.channels * d * 2
        # Self-attention 4 d^2 and feed-forward 8 d^2 weights a token, and scores and sums of n x n.
        own = n * 12 * d * d * 2 + 4 * n * n * d
        cross = (2 * n + 2 * m) * d * d * 2 + 4 * n * m * d
        text = m * 12 * d * d * 2 + 4 * m * m * d
        words = m * self.text_width * d * 2
        return patches + self.depth * (own + cross) + words + self.text_depth * text


# Heads are 128 wide: at 64 attention's kernels spend more time on exponentials than on products.
_SIZES = {
    "tiny": {"patch": 4, "width": 96, "depth": 3, "heads": 3, "text_depth": 1},
    "S/16": {"patch": 16, "width": 384, "depth": 12, "heads": 3, "text_depth": 4},
    "S/8": {"patch": 8, "width": 384, "depth": 12, "heads": 3, "text_depth": 4},
    "B/16": {"patch": 16, "width": 768, "depth": 12, "heads": 6, "text_depth": 4},
}


def shape_of(
    size: str, *, image_size: int, text_tokens: int, vocabulary: int, classes: int, text_width: int = 0
) -> Shape:
    """Return the shape that a size's name stands for."""
    empty = Shape(image_size, 0, 0, 0, 0, 0, text_tokens, vocabulary, classes, text_width)
    shape = replace(empty, **_SIZES[size])
    if image_size % shape.patch:
        raise ConfigError(
            f"pictures of {image_size} pixels can't be cut into patches of {shape.patch} ({size})",
            "choose another data.image_size or model.size",
        )
    return shape


def normalized(x: Tensor) -> Tensor:
    """Return x (..., d) with its vectors scaled to unit mean square, in x's precision.

    Its learned weights are with the matrix that reads it: see :class:`Matrix`.
    """
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


class Matrix(nn.Linear):
    """A linear layer that reads normalised vectors, and holds the norm's learned weights.

    Multiplied into the columns they give the same numbers as in the norm, and learning needs them; but there
    their gradient would be a sum over every token of the batch, here it is one over the matrix.
    """

    def __init__(self, read: int, written: int, *, bias: bool = False) -> None:
        super().__init__(read, written, bias=bias)
        self.gain = nn.Parameter(torch.ones(read))

    def columns(self) -> Tensor:
        """Return what x is multiplied by, (written, read)."""
        return self.weight * self.gain

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return F.linear(x, self.columns(), self.bias)


class StateProjection(nn.Module):
    """Another encoder's states in our width; what stands where there is no token is the bias."""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.matrix = Matrix(text_width, width, bias=True)

    def forward(self, states: Tensor) -> Tensor:
        """Return (B, T, d) of states (B, T, text_width), which are zero at empty places."""
        projected: Tensor = self.matrix(normalized(states.float()))
        return projected


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys, to itself or to a memory."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # Three products, not one with three results: norms of slices are slow, once compiled.
        self.query, self.key, self.value = (Matrix(width, width) for _ in range(3))
        # Of queries only: a scale of keys would multiply the same products.
        self.scale = nn.Parameter(torch.ones(width // heads))
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Let x (B, N, d) look at memory (B, M, d)."""
        # Heads stay behind tokens, (B, N, h, d / h), as the products leave them: the kernels read that too.
        heads = (self.heads, -1)
        q = normalized(self.query(x).unflatten(-1, heads))
        k = normalized(self.key(memory).unflatten(-1, heads))
        v = self.value(memory).unflatten(-1, heads)
        q, k, v = (q * self.scale.to(q.dtype)).transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        mixed: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return mixed


def feed_forward(width: int) -> nn.Sequential:
    """Return the two-layer network of a block."""
    wide, back = Matrix(width, 4 * width), nn.Linear(4 * width, width, bias=False)
    return nn.Sequential(wide, nn.GELU(approximate="tanh"), back)


class TextBlock(nn.Module):
    """A pre-norm encoder layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention, self.mlp = Attention(width, heads), feed_forward(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, T, d) after the layer."""
        h = normalized(x)
        x = x + self.attention(h, h)
        x = x + self.mlp(normalized(x))
        return x  # noqa: RET504


class PlanBlock(nn.Module):
    """A layer over patches: to itself, to the text, feed-forward; the time shifts, scales and gates."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention, self.cross = Attention(width, heads), Attention(width, heads)
        self.mlp = feed_forward(width)
        # All blocks share one modulation; each adds its own constant.
        self.modulation = nn.Parameter(torch.zeros(6, width))

    def forward(self, x: Tensor, text: Tensor, modulation: Tensor) -> Tensor:
        """Return x (B, N, d) after the layer; modulation is (B, 6, d)."""
        own = (modulation + self.modulation).to(x.dtype)
        shift1, scale1, gate1, shift2, scale2, gate2 = own.unsqueeze(2).unbind(1)
        h = normalized(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(h, h)
        x = x + self.cross(normalized(x), text)
        x = x + gate2 * self.mlp(normalized(x) * (1 + scale2) + shift2)
        return x  # noqa: RET504


class FloorPlanTransformer(nn.Module):
    """(noisy plan (B, C, H, W), time (B,), tokens) -> logits or RGB (B, C, H, W).

    Tokens are word slots (B, T), or states (B, T, text_width) of a pretrained encoder; zero is no word.
    """

    def __init__(self, shape: Shape, *, gradient_checkpointing: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.gradient_checkpointing = gradient_checkpointing
        d, patch = shape.width, shape.patch**2 * shape.channels
        self.words = (
            StateProjection(shape.text_width, d) if shape.text_width else nn.Embedding(shape.vocabulary, d)
        )
        self.word_positions = nn.Parameter(torch.zeros(shape.text_tokens, d))
        self.text_blocks = nn.ModuleList(TextBlock(d, shape.heads) for _ in range(shape.text_depth))
        self.patches = nn.Linear(patch, d)
        self.patch_positions = nn.Parameter(_positions(shape.image_size // shape.patch, d))
        self.time = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.blocks = nn.ModuleList(PlanBlock(d, shape.heads) for _ in range(shape.depth))
        self.head = Matrix(d, patch, bias=True)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if isinstance(self.words, nn.Embedding):
            nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.word_positions, std=0.02)
        # Every block begins as the identity of its gated parts, and the first prediction is flat.
        for name, parameter in self.named_parameters():
            if name.startswith(("modulation.", "head.weight", "head.bias")) or ".cross.out." in name:
                nn.init.zeros_(parameter)

    def encode(self, tokens: Tensor) -> Tensor:
        """Return the text's vectors (B, T, d); sampling needs them once for all its steps."""
        x = _working(self.words(tokens) + self.word_positions)
        for block in self.text_blocks:
            x = self._run(block, x)
        return normalized(x)

    def forward(self, z: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """Return the predicted clean plan."""
        return self.decode(z, t, self.encode(tokens))

    def decode(self, z: Tensor, t: Tensor, text: Tensor) -> Tensor:
        """Return the predicted clean plan for text vectors that ``encode`` gave."""
        shape, side = self.shape, self.shape.image_size // self.shape.patch
        split = (-1, shape.channels, side, shape.patch, side, shape.patch)
        x = self.patches(z.reshape(split).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2))
        x = _working(x + self.patch_positions)
        modulation = self.modulation(self.time(_waves(t)) + text.mean(1)).view(-1, 6, shape.width)
        for block in self.blocks:
            x = self._run(block, x, text, modulation)
        merged = (-1, side, side, shape.channels, shape.patch, shape.patch)
        plan: Tensor = self.head(normalized(x)).view(merged).permute(0, 3, 1, 4, 2, 5).reshape(z.shape)
        return plan

    def _run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(block, *inputs, use_reentrant=False)  # type: ignore[no-any-return]
        return block(*inputs)  # type: ignore[no-any-return]


class Flow:
    """The path between noise and plan: what training asks of the network and what sampling does with it."""

    def __init__(self, shape: Shape, noise_scale: float) -> None:
        self.shape = shape
        self.noise_scale = noise_scale

    def clean(self, pictures: Tensor) -> Tensor:
        """Return plans (B, C, H, W) as the network sees them of pictures as they are stored (uint8)."""
        if self.shape.classes:
            # Not F.one_hot: that goes through eight bytes a class and pixel.
            classes = torch.arange(self.shape.classes, device=pictures.device, dtype=pictures.dtype)
            return (pictures[:, None] == classes[:, None, None]).float()
        return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1

    def loss(
        self, model: nn.Module, pictures: Tensor, tokens: Tensor, noise: Tensor, t: Tensor, keep: Tensor
    ) -> Tensor:
        """Return the mean loss of a batch; ``keep`` (B,) says whose text is shown."""
        z = self._noisy(self.clean(pictures), noise, t)
        shown = keep.view(-1, *[1] * (tokens.ndim - 1))
        prediction = model(z, t, torch.where(shown, tokens, 0)).float()
        if self.shape.classes:
            return F.cross_entropy(prediction, pictures.long())
        # The error of the velocity (x - z) / (1 - t), bounded near the clean end.
        weight = 1 / (1 - t).clamp_min(0.05) ** 2
        error = (prediction - self.clean(pictures)).square().mean((1, 2, 3))
        mean: Tensor = (weight * error).mean()
        return mean

    def draw(
        self, pictures: Tensor, text_dropout: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the randomness of a batch: noise, times, and whose text is shown."""
        size, device, batch = self.shape.image_size, pictures.device, len(pictures)
        noise = torch.randn(batch, self.shape.channels, size, size, generator=generator, device=device)
        t = torch.sigmoid(torch.randn(batch, generator=generator, device=device) * 0.8 - 0.8)
        keep = torch.rand(batch, generator=generator, device=device) >= text_dropout
        return noise, t, keep

    def _noisy(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        t = t[:, None, None, None]
        return self._scaled(t * x + (1 - t) * self.noise_scale * noise, t)

    def _scaled(self, z: Tensor, t: Tensor) -> Tensor:
        """Return z at unit size, whatever the time: the network's input."""
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
        """Return plans for the texts of tokens, uint8: classes (B, H, W), or RGB (B, H, W, 3).

        Euler steps of dz/dt = (E[x | z] - z) / (1 - t); guidance w moves the prediction away from the one
        without a text, w = 1 leaves it.
        """
        size, batch = self.shape.image_size, len(tokens)
        z = torch.randn(batch, self.shape.channels, size, size, generator=generator, device=tokens.device)
        z = z * self.noise_scale
        guided = guidance != 1.0
        text = model.encode(torch.cat([tokens, torch.zeros_like(tokens)]) if guided else tokens)
        times = torch.linspace(0, 1, steps + 1, device=tokens.device)
        for now, then in itertools.pairwise(times):
            t = now.expand(len(text))
            seen = self._scaled(z, now)
            x = model.decode(torch.cat([seen, seen]) if guided else seen, t, text).float()
            if guided:
                with_text, without = x.chunk(2)
                x = without + guidance * (with_text - without)
            x = x.softmax(1) if self.shape.classes else x.clamp(-1, 1)
            z = z + (then - now) / (1 - now) * (x - z)
        # The last step ends at t = 1, where z is the prediction itself.
        if self.shape.classes:
            return z.argmax(1).to(torch.uint8)
        return ((z.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class Objective(nn.Module):
    """What data-parallel training wraps: a network whose forward is its loss.

    ``loss`` is :meth:`Flow.loss`, or that compiled.
    """

    def __init__(self, network: FloorPlanTransformer, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network = network
        self._loss = loss

    def forward(self, pictures: Tensor, tokens: Tensor, noise: Tensor, t: Tensor, keep: Tensor) -> Tensor:
        """Return the mean loss of a batch."""
        return self._loss(self.network, pictures, tokens, noise, t, keep)


def _working(x: Tensor) -> Tensor:
    """Return x in the precision that autocast computes in, if it does.

    What blocks add to would stay in fp32 otherwise, because positions are, and moving it to and from memory
    costs as much as computing with it.
    """
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def _waves(t: Tensor) -> Tensor:
    """Return sines and cosines (B, 256) of times in [0, 1]."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(128, device=t.device) / 128)
    angles = 1000.0 * t[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], 1)


def _positions(side: int, width: int) -> Tensor:
    """Return sines and cosines (side * side, width) of row and column, where learning starts from."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = line[:, None].expand(side, side, -1), line[None].expand(side, side, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)
