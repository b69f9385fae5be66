"""Weights & Biases and TensorBoard through accelerate; a tracker that fails never stops a run."""

from __future__ import annotations

import netrc
import os
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available, is_wandb_available

from trainer.settings import Settings


def available_trackers(settings: Settings, notes: list[str]) -> list[str]:
    """Return the trackers that are enabled and installed; add a note for each that is not installed."""
    trackers = [
        ("wandb", settings.wandb.enabled, is_wandb_available()),
        ("tensorboard", settings.tensorboard.enabled, is_tensorboard_available()),
    ]
    for name, enabled, installed in trackers:
        if enabled and not installed:
            notes.append(
                f"{name}.enabled is true, but its package is not installed on this node: this run continues "
                f'without it; to use it in the next run: pip install "dtui[{name}]"'
            )
    return [name for name, enabled, installed in trackers if enabled and installed]


def start_trackers(accelerator: Accelerator, settings: Settings, run: str) -> str:
    """Start the trackers on rank 0; return notes for the user, empty if there are none."""
    if not accelerator.log_with:
        return ""
    notes = []
    if settings.wandb.enabled and "WANDB_MODE" not in os.environ and not _logged_in_to_wandb():
        # Otherwise wandb would prompt on a terminal without a user.
        os.environ["WANDB_MODE"] = "offline"
        notes.append("W&B: not logged in, so this run is recorded offline; `wandb sync` uploads it later")
    config = settings.by_dotted_name()
    started = []
    # One at a time, since their names differ: TensorBoard's folder is the run, W&B's project is an option.
    for kind in list(accelerator.log_with):
        is_wandb = str(kind) == "wandb"
        options = {"wandb": {"name": run, "dir": settings.paths.logs}} if is_wandb else {}
        accelerator.log_with, accelerator.trackers = [kind], []
        try:
            accelerator.init_trackers(settings.wandb.project if is_wandb else run, config, options)
            started += accelerator.trackers
        except Exception as error:  # noqa: BLE001  (an error of a tracking service must not end the run)
            notes.append(
                f"{kind} could not be started, continuing without it: {' '.join(str(error).split())}"
            )
    accelerator.trackers = started
    return "\n".join(notes)


def _logged_in_to_wandb() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    for name in (".netrc", "_netrc"):
        try:
            if netrc.netrc(Path.home() / name).authenticators("api.wandb.ai"):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
