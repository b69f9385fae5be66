"""A trained network that draws plans: from a checkpoint, or from one exported file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from trainer.checkpoints import load_weights, open_checkpoint
from trainer.errors import CheckpointError
from trainer.model import FloorPlanTransformer, Flow, Shape
from trainer.palette import Palette
from trainer.pictures import as_rgb
from trainer.pretrained import PretrainedText, check
from trainer.words import encode

#: Key of an exported file's description.
_ABOUT = "floorplan"
_KEPT = ("shape", "palette", "noise_scale", "text_encoder", "step", "samples")


class Painter:
    """Draws with the averaged weights; ``about`` is the checkpoint's description."""

    def __init__(
        self, about: dict[str, Any], weights: dict[str, torch.Tensor], device: torch.device,
        text_encoder: str = "",
    ) -> None:  # fmt: skip
        self.about = about
        self._encoder_name = text_encoder
        self.shape = Shape(**about["shape"])
        self.palette = Palette(map(tuple, about["palette"])) if about["palette"] else None
        self.flow = Flow(self.shape, float(about["noise_scale"]))
        self.device = device
        self.network = FloorPlanTransformer(self.shape).to(device).eval()
        self._weights = weights
        load_weights(self.network, weights)

    @classmethod
    def load(cls, path: Path, device: torch.device, text_encoder: str = "") -> Painter:
        """Return the painter of an exported file, a checkpoint, or the newest checkpoint in a folder.

        ``text_encoder`` is where its pretrained encoder is, if not where training had it. Raises
        CheckpointError.
        """
        if path.is_file():
            try:
                with safe_open(path, framework="pt") as file:
                    about = json.loads((file.metadata() or {})[_ABOUT])
                    weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                    return cls(about, weights, device, text_encoder)
            except (OSError, KeyError, ValueError) as error:
                raise CheckpointError(f"{path} is no exported floor-plan network: {error}") from None
        checkpoint = open_checkpoint(path)
        return cls(dict(checkpoint.state), checkpoint.tensors("ema"), device, text_encoder)

    @cached_property
    def encoder(self) -> PretrainedText | None:
        """The pretrained encoder that the network needs, loaded when it is first asked for."""
        wanted = self.about.get("text_encoder")
        if not wanted:
            return None
        name = self._encoder_name or wanted["name"]
        return check(PretrainedText(name, self.shape.text_tokens, self.device), wanted["fingerprint"])

    def export(self, path: Path) -> None:
        """Write weights and description as one safetensors file."""
        kept = {key: self.about.get(key) for key in _KEPT}
        save_file(self._weights, path, metadata={_ABOUT: json.dumps(kept), "format": "pt"})

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Return texts as the network reads them; raises PretrainedError where its encoder is missing."""
        if self.encoder is not None:
            return self.encoder.states(texts).to(self.device)
        slots = [encode(text, self.shape.text_tokens, self.shape.vocabulary) for text in texts]
        return torch.from_numpy(np.stack(slots)).to(self.device)

    def draw(
        self, tokens: torch.Tensor, *, steps: int, guidance: float, seed: int, candidates: int = 1
    ) -> NDArray[np.uint8]:
        """Return a plan for each text, as classes or RGB.

        With several candidates a text is drawn so many times, and the plan is kept that agrees best with the
        others (in palette mode).
        """
        generator = torch.Generator(device=self.device).manual_seed(seed)
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu):
            drawn = [
                self.flow.sample(self.network, tokens, steps=steps, guidance=guidance, generator=generator)
                for _ in range(max(1, candidates))
            ]
        plans = torch.stack(drawn)
        if len(plans) == 1 or self.palette is None:
            return plans[0].cpu().numpy()
        return _agreed(plans, len(self.palette)).cpu().numpy()

    def rgb(self, plans: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return drawn plans as uint8 RGB (N, H, W, 3)."""
        return as_rgb(plans, self.palette)


def _agreed(plans: torch.Tensor, classes: int) -> torch.Tensor:
    """Return of plans (K, B, H, W) for each text the one with the highest mean overlap with the others."""
    inter = torch.zeros(*plans.shape[:1], *plans.shape[:2], device=plans.device)
    union = torch.zeros_like(inter)
    for kind in range(classes):
        mask = (plans == kind).flatten(2).float()
        area = mask.sum(2)
        both = torch.einsum("kbp,lbp->klb", mask, mask)
        either = area[:, None] + area[None] - both
        inter += torch.where(either > 0, both / either.clamp_min(1), 0)
        union += either > 0
    best = (inter / union).mean(1).argmax(0)
    return plans[best, torch.arange(plans.shape[1], device=plans.device)]


def pick_device(name: str) -> torch.device:
    """Return the named device; ``auto`` is a GPU when there is one."""
    return torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
