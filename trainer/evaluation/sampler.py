"""Samples plans from a trained network: from a checkpoint, or from an exported file."""

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

from trainer.checkpoint.storage import load_weights, open_checkpoint
from trainer.dataset.palette import Palette
from trainer.dataset.pretrained_encoder import PretrainedTextEncoder, check_fingerprint
from trainer.dataset.tokenizer import encode_text
from trainer.errors import CheckpointError
from trainer.evaluation.image_grid import to_rgb
from trainer.model.config import ModelConfig
from trainer.model.flow_matching import FlowMatching
from trainer.model.transformer import FloorPlanTransformer

#: The key of an exported file's metadata.
_METADATA_KEY = "floorplan"
_EXPORTED_KEYS = ("shape", "palette", "noise_scale", "text_encoder", "held_out", "step", "samples")


class PlanSampler:
    """Samples with the averaged weights; ``metadata`` is the state of the checkpoint or exported file."""

    def __init__(
        self, metadata: dict[str, Any], weights: dict[str, torch.Tensor], device: torch.device,
        text_encoder: str = "",
    ) -> None:  # fmt: skip
        self.metadata = metadata
        self.palette = Palette(map(tuple, metadata["palette"])) if metadata["palette"] else None
        self.device = device
        self._text_encoder = text_encoder
        self._config = ModelConfig(**metadata["shape"])
        self._flow = FlowMatching(self._config, float(metadata["noise_scale"]))
        self._network = FloorPlanTransformer(self._config).to(device).eval()
        self._weights = weights
        load_weights(self._network, weights)

    @classmethod
    def load(cls, path: Path, device: torch.device, text_encoder: str = "") -> PlanSampler:
        """Return the sampler of an exported file, a checkpoint, or the newest checkpoint in a folder.

        ``text_encoder`` is the folder of its pretrained encoder, if it was moved since training. Raises
        CheckpointError.
        """
        if path.is_file():
            try:
                with safe_open(path, framework="pt") as file:
                    metadata = json.loads((file.metadata() or {})[_METADATA_KEY])
                    weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                    return cls(metadata, weights, device, text_encoder)
            except (OSError, KeyError, ValueError) as error:
                raise CheckpointError(f"{path} is not an exported floor plan network: {error}") from None
        checkpoint = open_checkpoint(path)
        return cls(dict(checkpoint.state), checkpoint.tensors("ema"), device, text_encoder)

    @cached_property
    def encoder(self) -> PretrainedTextEncoder | None:
        """The pretrained encoder that the network was trained with, loaded on first use."""
        identity = self.metadata.get("text_encoder")
        if not identity:
            return None
        name = self._text_encoder or identity["name"]
        encoder = PretrainedTextEncoder(name, self._config.text_tokens, self.device)
        return check_fingerprint(encoder, identity["fingerprint"])

    def export(self, path: Path) -> None:
        """Write weights and metadata into one safetensors file."""
        metadata = {key: self.metadata.get(key) for key in _EXPORTED_KEYS}
        save_file(self._weights, path, metadata={_METADATA_KEY: json.dumps(metadata), "format": "pt"})

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the network's input for the texts; raises PretrainedError for a missing encoder."""
        if self.encoder is not None:
            return self.encoder.encode(texts).to(self.device)
        ids = [encode_text(text, self._config.text_tokens, self._config.vocabulary) for text in texts]
        return torch.from_numpy(np.stack(ids)).to(self.device)

    def sample(
        self, tokens: torch.Tensor, *, steps: int, guidance: float, seed: int, candidates: int = 1
    ) -> NDArray[np.uint8]:
        """Return one plan per text, as classes or RGB.

        In palette mode with several candidates, that many plans are sampled per text, and the one is returned
        that overlaps most with the others.
        """
        generator = torch.Generator(device=self.device).manual_seed(seed)
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu):
            samples = [
                self._flow.sample(self._network, tokens, steps=steps, guidance=guidance, generator=generator)
                for _ in range(max(1, candidates))
            ]
        plans = torch.stack(samples)
        if len(plans) == 1 or self.palette is None:
            return plans[0].cpu().numpy()
        return _most_typical(plans, len(self.palette)).cpu().numpy()

    def to_rgb(self, plans: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return sampled plans as uint8 RGB (N, H, W, 3)."""
        return to_rgb(plans, self.palette)


def _most_typical(plans: torch.Tensor, classes: int) -> torch.Tensor:
    """Return, of candidates (K, B, H, W), the one per text with the highest mean IoU with the others."""
    iou_sum = torch.zeros(*plans.shape[:1], *plans.shape[:2], device=plans.device)
    class_count = torch.zeros_like(iou_sum)
    for label in range(classes):
        mask = (plans == label).flatten(2).float()
        area = mask.sum(2)
        intersection = torch.einsum("kbp,lbp->klb", mask, mask)
        union = area[:, None] + area[None] - intersection
        iou_sum += torch.where(union > 0, intersection / union.clamp_min(1), 0)
        class_count += union > 0
    best = (iou_sum / class_count).mean(1).argmax(0)
    return plans[best, torch.arange(plans.shape[1], device=plans.device)]


def select_device(name: str) -> torch.device:
    """Return the named device; ``auto`` is a GPU if there is one."""
    return torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
