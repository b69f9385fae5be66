"""Writes a project's configs/nodes.yaml and configs/train_config.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from fleet.bounded_yaml import INVENTORY as INVENTORY_LIMITS
from fleet.file_replacement import replace_user_file
from fleet.inventory import Inventory, Node, RunSettings, default_master, save_inventory
from fleet.inventory.model import DEFAULT_CONFIG
from fleet.private_files import read_project_file
from fleet.shipped import shipped

INVENTORY = "configs/nodes.yaml"
ACCELERATE = "configs/accelerate.yaml"
_SCRIPTS = ("train.py", "scripts/train.py", "src/train.py", "main.py")


class Beginning(Struct, frozen=True):
    """Which of the files were written, and which were there and stay as they are."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def likely_program(project: Path) -> str | None:
    """Return what a run of this folder probably starts: ``trainer``, a script's path, or None."""
    if (project / "trainer" / "__main__.py").is_file():
        return "trainer"
    return next((script for script in _SCRIPTS if (project / script).is_file()), None)


def begin(
    project: Path,
    workers: Sequence[Node],
    run: RunSettings,
    *,
    master_address: str = "",
    accelerate: Path | None = None,
    replace: bool = False,
) -> Beginning:
    """Write what a first run needs; ``replace`` allows to replace an inventory that is there.

    ``accelerate`` is an Accelerate configuration to copy into the project.

    The trainer's configuration is only written where it runs and there is none. Raises FileExistsError before
    anything is written, InventoryError when the workers do not fit into one file.
    """
    path = project / INVENTORY
    if path.exists() and not replace:
        raise FileExistsError(path)
    inventory = Inventory(
        project=project.resolve(),
        master=default_master(project.resolve(), master_address),
        workers=tuple(workers),
        run=run,
    )
    save_inventory(inventory, path)
    written, kept = [path], []
    if accelerate is not None:
        target = project / ACCELERATE
        if accelerate.resolve() != target.resolve():
            replace_user_file(
                target, read_project_file(accelerate, INVENTORY_LIMITS.size).decode("utf-8-sig")
            )
            written.append(target)
    if run.program_config == DEFAULT_CONFIG:
        config = project / DEFAULT_CONFIG
        if config.exists():
            kept.append(config)
        else:
            replace_user_file(config, shipped(config.name).read_text("utf-8"))
            written.append(config)
    return Beginning(tuple(written), tuple(kept))
