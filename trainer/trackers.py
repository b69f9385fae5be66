"""W&B and TensorBoard through accelerate; a tracker that fails never stops a run."""

from __future__ import annotations

import netrc
import os
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import is_tensorboard_available, is_wandb_available

from trainer.settings import Settings


def available(settings: Settings, notes: list[str]) -> list[str]:
    """Return the trackers that are wanted and installed; a missing one is a note."""
    wanted = [
        ("wandb", settings.wandb.enabled, is_wandb_available()),
        ("tensorboard", settings.tensorboard.enabled, is_tensorboard_available()),
    ]
    for name, enabled, there in wanted:
        if enabled and not there:
            notes.append(
                f"{name}.enabled is true, but its package is not installed here: this run goes on without; "
                f'to have it next time: pip install "dtui[{name}]"'
            )
    return [name for name, enabled, there in wanted if enabled and there]


def start(accelerator: Accelerator, settings: Settings, run: str) -> str:
    """Start the trackers on rank 0; return what a person should know, empty when all is well."""
    if not accelerator.log_with:
        return ""
    notes = []
    if settings.wandb.enabled and "WANDB_MODE" not in os.environ and not _logged_in():
        # Without this wandb would ask on a terminal that nobody watches.
        os.environ["WANDB_MODE"] = "offline"
        notes.append("W&B: not logged in, so this run is kept offline; `wandb sync` sends it later")
    config = {
        f"{section}.{key}": value
        for section, options in settings.as_dict().items()
        for key, value in options.items()
    }
    started = []
    # One by one: TensorBoard shows a curve a folder, so its is named by the run, and W&B's by the project.
    for kind in list(accelerator.log_with):
        wandb = str(kind) == "wandb"
        options = {"wandb": {"name": run, "dir": settings.paths.logs}} if wandb else {}
        accelerator.log_with, accelerator.trackers = [kind], []
        try:
            accelerator.init_trackers(settings.wandb.project if wandb else run, config, options)
            started += accelerator.trackers
        except Exception as error:  # noqa: BLE001  (a service's error must not cost the run)
            notes.append(f"{kind} could not be started, going on without: {' '.join(str(error).split())}")
    accelerator.trackers = started
    return "\n".join(notes)


def _logged_in() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    for name in (".netrc", "_netrc"):
        try:
            if netrc.netrc(Path.home() / name).authenticators("api.wandb.ai"):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
