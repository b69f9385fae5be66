"""Selects the checkpoint that a run resumes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.checkpoint.storage import Checkpoint, newest_checkpoint, open_checkpoint
from trainer.progress import TrainingProgress
from trainer.settings import Settings
from trainer.settings_file import from_dict

#: Sections that define an experiment, and their options that may still change when a run resumes: these
#: determine how it trains, not what it learns.
_CHANGEABLE_OPTIONS = {
    "data": {"root", "generate", "generate_pairs", "cache_folder", "cache_limit_gb"},
    # The location of the text encoder; a checkpoint identifies it by its fingerprint.
    "model": {"compile", "gradient_checkpointing", "pretrained"},
    "training": {
        "max_steps", "max_minutes", "batch_size", "gradient_accumulation_steps", "num_workers", "pin_memory",
        "persistent_workers", "mixed_precision", "save_every", "max_checkpoints", "log_every", "eval_every",
        "eval_pairs", "sample_every",
    },
    "communication": {"gradient_compression", "bucket_mb"},
}  # fmt: skip


def experiment_options(settings: Settings) -> dict[str, Any]:
    """Return the options that are equal in two runs of the same experiment, by dotted name."""
    sections = settings.as_dict()
    return {
        f"{section}.{key}": value
        for section, changeable in _CHANGEABLE_OPTIONS.items()
        for key, value in sections[section].items()
        if key not in changeable
    }


def select_checkpoint(selection: str, settings: Settings, log: Callable[[str], None]) -> Checkpoint | None:
    """Return the checkpoint to resume from; ``selection`` is ``auto``, ``none`` or a path.

    ``auto`` selects the newest checkpoint of all runs if it belongs to the same experiment and is unfinished;
    otherwise it logs why the run starts from scratch. Raises CheckpointError for a path without a checkpoint.
    """
    if selection == "none":
        return None
    if selection != "auto":
        return open_checkpoint(Path(selection))
    newest = newest_checkpoint(Path(settings.paths.checkpoints))
    if newest is None:
        return None
    # Options that are newer than the checkpoint had their default values.
    theirs, ours = experiment_options(from_dict(newest.state["settings"])), experiment_options(settings)
    different = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    if different:
        options = ", ".join(different[:4])
        log(f"{newest.folder} is of another experiment (different {options}): starting from scratch")
        return None
    if TrainingProgress.from_state(newest.state).is_finished(settings.training):
        log(f"{newest.folder} is the end of a finished run: starting from scratch")
        return None
    return newest
