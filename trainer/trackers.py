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
            notes.append(f"{name}.enabled is true, but the package {name} is not installed: going on without")
    return [name for name, enabled, there in wanted if enabled and there]


def start(accelerator: Accelerator, settings: Settings, run: str) -> str:
    """Start the trackers on rank 0; return what a person should know, empty when all is well."""
    if not accelerator.log_with:
        return ""
    note = ""
    if settings.wandb.enabled and "WANDB_MODE" not in os.environ and not _logged_in():
        # Without this wandb would ask on a terminal that nobody watches.
        os.environ["WANDB_MODE"] = "offline"
        note = "W&B: not logged in, so this run is kept offline; `wandb sync` sends it later"
    config = {
        f"{section}.{key}": value
        for section, options in settings.as_dict().items()
        for key, value in options.items()
    }
    try:
        accelerator.init_trackers(
            settings.wandb.project, config, {"wandb": {"name": run, "dir": settings.paths.logs}}
        )
    except Exception as error:  # noqa: BLE001  (a service's error must not cost the run)
        accelerator.trackers = []
        note = f"trackers could not be started, going on without: {error}"
    return note


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
