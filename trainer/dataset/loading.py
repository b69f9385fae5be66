"""The datasets of a run: generated if requested, preprocessed once per node, identical on every rank."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from trainer.dataset.cache import PreprocessingOptions, default_cache_folder, open_dataset
from trainer.dataset.held_out import RULE, SplitPairs, hold_out
from trainer.dataset.pair_dataset import PairDataset
from trainer.dataset.palette import Palette
from trainer.dataset.pretrained_encoder import PretrainedTextEncoder
from trainer.dataset.synthetic import write_pairs
from trainer.errors import ConfigError, DataError
from trainer.metrics_logger import MetricsLogger
from trainer.settings import Settings

#: Independent of the training seed, so that runs with different seeds can be compared.
_SYNTHETIC_SEED = 0


def generate_missing_data(settings: Settings, logger: MetricsLogger) -> None:
    """Generate synthetic pairs if the data folder is missing and ``data.generate`` is set."""
    root = Path(settings.data.root)
    if settings.data.generate and not root.exists():
        # Nodes that share the folder generate the same pairs; the first node's are kept.
        with contextlib.suppress(FileExistsError):
            write_pairs(root, settings.data.generate_pairs, settings.data.image_size, _SYNTHETIC_SEED)
        logger.info(f"{root} did not exist: generated {settings.data.generate_pairs} synthetic pairs in it")


def load_text_encoder(settings: Settings, device: torch.device) -> PretrainedTextEncoder | None:
    """Return the pretrained text encoder, None for hashed words.

    Raises PretrainedError if it cannot be loaded, and ConfigError for options that exclude each other.
    """
    if settings.model.text_encoder == "hashed":
        return None
    if settings.data.mirror:
        raise ConfigError(
            "data.mirror changes words, but a pretrained encoder (model.text_encoder) encodes them before",
            "set data.mirror to false, or model.text_encoder to hashed",
        )
    return PretrainedTextEncoder(settings.model.pretrained, settings.data.text_tokens, device)


def open_split(
    settings: Settings, split: str, logger: MetricsLogger, encoder: PretrainedTextEncoder | None,
    palette: Palette | None = None,
) -> PairDataset | None:  # fmt: skip
    """Return the dataset of ``train`` or ``val``, None if its folder is missing; logs skipped files."""
    folder = Path(settings.data.root) / split
    if not folder.is_dir():
        return None
    options, caches = preprocessing_options(settings), cache_folder(settings)
    dataset = open_dataset(folder, options, caches, palette, encoder=encoder, log=logger.info)
    kind = f"palette of {len(dataset.palette)} colours" if dataset.palette else "RGB"
    logger.info(f"{folder}: {len(dataset)} pairs, {kind}, digest {dataset.digest}")
    for line in dataset.skipped:
        logger.info(f"{folder}: skipped {line}")
    return dataset


def open_pairs(
    settings: Settings, logger: MetricsLogger, encoder: PretrainedTextEncoder | None
) -> SplitPairs:
    """Return the training pairs and the held-out ones; raises DataError if there are no training pairs."""
    root = Path(settings.data.root)
    dataset = open_split(settings, "train", logger, encoder)
    if dataset is None:
        raise DataError(
            f"{root / 'train'} does not exist",
            "put pairs into data/train/input_text and data/train/label_floorplan, set data.root, "
            "or set data.generate for synthetic ones",
        )
    held_out = open_split(settings, "val", logger, encoder, dataset.palette)
    if held_out is not None:
        return SplitPairs(dataset, held_out, "val")
    pairs = hold_out(dataset)
    if pairs.held_out is None:
        logger.info(
            f"{root / 'val'} does not exist, and {root / 'train'} has no pair to spare: none is held out"
        )
    else:
        logger.info(
            f"{root / 'val'} does not exist: {len(pairs.held_out)} of the {len(dataset)} pairs in "
            f"{root / 'train'} are held out and not trained on ({RULE})"
        )
    return pairs


def cache_folder(settings: Settings) -> Path:
    """Return the folder of the caches: ``data.cache_folder``, or the user's cache folder."""
    return Path(settings.data.cache_folder) if settings.data.cache_folder else default_cache_folder()


def preprocessing_options(settings: Settings) -> PreprocessingOptions:
    """Return the preprocessing that these settings describe."""
    data = settings.data
    return PreprocessingOptions(
        image_size=data.image_size,
        resize=data.resize,
        mode=data.mode,
        text_tokens=data.text_tokens,
        vocabulary=settings.model.vocabulary,
        storage=data.cache,
        limit_gb=data.cache_limit_gb,
    )
