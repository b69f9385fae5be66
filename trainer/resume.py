"""Which checkpoint a run goes on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.checkpoints import Checkpoint, newest_checkpoint, open_checkpoint
from trainer.progress import Progress
from trainer.settings import Settings
from trainer.settings_file import from_dict

#: Options that may change between a run and its continuation: they fix how, not what is learned.
_FREE = {
    "data": {"root", "generate", "generate_pairs", "cache_folder", "cache_limit_gb"},
    # Where the text encoder lies; a checkpoint knows it by its fingerprint.
    "model": {"compile", "gradient_checkpointing", "pretrained"},
    "training": {
        "max_steps", "max_minutes", "batch_size", "gradient_accumulation_steps", "num_workers", "pin_memory",
        "persistent_workers", "mixed_precision", "save_every", "max_checkpoints", "log_every", "eval_every",
        "eval_pairs", "sample_every",
    },
    "communication": {"gradient_compression", "bucket_mb"},
}  # fmt: skip


def identity(settings: Settings) -> dict[str, Any]:
    """Return the options that make two runs the same experiment, by dotted name."""
    sections = settings.as_dict()
    return {
        f"{section}.{key}": value
        for section in ("data", "model", "training", "communication")
        for key, value in sections[section].items()
        if key not in _FREE[section]
    }


def choose(wanted: str, settings: Settings, say: Callable[[str], None]) -> Checkpoint | None:
    """Return the checkpoint to go on from; ``wanted`` is ``auto``, ``none`` or a path.

    ``auto`` takes the newest checkpoint of all runs when it is of the same experiment and has steps left to
    do; otherwise it begins anew and says why. Raises CheckpointError for a path without a checkpoint.
    """
    if wanted == "none":
        return None
    if wanted != "auto":
        return open_checkpoint(Path(wanted))
    newest = newest_checkpoint(Path(settings.paths.checkpoints))
    if newest is None:
        return None
    # Options that are newer than the checkpoint were at their defaults.
    theirs, ours = identity(from_dict(newest.state["settings"])), identity(settings)
    different = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    if different:
        say(f"{newest.folder} is of another experiment ({', '.join(different[:4])}): beginning anew")
        return None
    if Progress.saved(newest.state).finished(settings.training):
        say(f"{newest.folder} is the end of a finished run: beginning anew")
        return None
    return newest
