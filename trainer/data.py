"""The pairs of a run: made if asked for, decoded once a node, the same on every rank."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from trainer import sample_data
from trainer.cache import Reading, cache_folder, open_pairs
from trainer.errors import ConfigError, DataError
from trainer.journal import Journal
from trainer.palette import Palette
from trainer.pretrained import PretrainedText
from trainer.settings import Settings
from trainer.stores import Pairs

#: Synthetic pairs are the same for every training seed, so that runs can be compared.
_SAMPLE_SEED = 0


def make_sample_data(settings: Settings, journal: Journal) -> None:
    """Make synthetic pairs when the data folder is missing and the options ask for them."""
    root = Path(settings.data.root)
    if settings.data.generate and not root.exists():
        # Nodes that share the folder make the same; the first one's stays.
        with contextlib.suppress(FileExistsError):
            sample_data.write(root, settings.data.generate_pairs, settings.data.image_size, _SAMPLE_SEED)
        journal.say(f"{root} did not exist: made {settings.data.generate_pairs} synthetic pairs in it")


def text_encoder(settings: Settings, device: torch.device) -> PretrainedText | None:
    """Return the pretrained text encoder that the options ask for, None for hashed words.

    Raises PretrainedError, and ConfigError where they ask for what it can't do.
    """
    if settings.model.text_encoder == "hashed":
        return None
    if settings.data.mirror:
        raise ConfigError(
            "data.mirror changes words, and a pretrained encoder has read them already (model.text_encoder)",
            "set one of the two back: data.mirror: false, or model.text_encoder: hashed",
        )
    return PretrainedText(settings.model.pretrained, settings.data.text_tokens, device)


def open_split(
    settings: Settings, split: str, journal: Journal, encoder: PretrainedText | None,
    palette: Palette | None = None,
) -> Pairs | None:  # fmt: skip
    """Return the pairs of ``train`` or ``val``, None when there is no such folder; says what was left out."""
    folder = Path(settings.data.root) / split
    if not folder.is_dir():
        return None
    caches = Path(settings.data.cache_folder) if settings.data.cache_folder else cache_folder()
    pairs = open_pairs(folder, reading_of(settings), caches, palette, encoder=encoder, say=journal.say)
    kind = f"palette of {len(pairs.palette)} colours" if pairs.palette else "RGB"
    journal.say(f"{folder}: {len(pairs)} pairs, {kind}, digest {pairs.digest}")
    for line in pairs.faults:
        journal.say(f"{folder}: left out {line}")
    return pairs


def open_training_data(settings: Settings, journal: Journal, encoder: PretrainedText | None) -> Pairs:
    """Return the training pairs; raises DataError when there are none."""
    pairs = open_split(settings, "train", journal, encoder)
    if pairs is None:
        raise DataError(
            f"{Path(settings.data.root) / 'train'} does not exist",
            "put pairs into data/train/input_text and data/train/label_floorplan, set data.root, "
            "or set data.generate for synthetic ones",
        )
    return pairs


def reading_of(settings: Settings) -> Reading:
    """Return how these options turn pairs into numbers."""
    data = settings.data
    return Reading(
        image_size=data.image_size,
        resize=data.resize,
        mode=data.mode,
        text_tokens=data.text_tokens,
        vocabulary=settings.model.vocabulary,
        keep=data.cache,
        limit_gb=data.cache_limit_gb,
    )
