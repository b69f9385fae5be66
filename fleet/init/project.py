"""Writes a project's configs/nodes.yaml and configs/train_config.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from fleet.bounded_yaml import INVENTORY as INVENTORY_LIMITS
from fleet.file_replacement import replace_user_file
from fleet.init.detect import Detected, Program
from fleet.inventory import Inventory, Node, RunSettings, default_master, save_inventory
from fleet.inventory.model import DEFAULT_CONFIG, DataSettings
from fleet.inventory.render import Comments
from fleet.private_files import read_project_file
from fleet.shipped import shipped

INVENTORY = "configs/nodes.yaml"
ACCELERATE = "configs/accelerate.yaml"
#: Data up to this size is copied by the first deploy; more is for the user to decide.
_COPIED = 1 << 30
_MAX_NAMED = 8


class Beginning(Struct, frozen=True):
    """Which of the files were written, and which were there and stay as they are."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def data_settings(found: Detected) -> DataSettings | None:
    """Return the data block for what was found."""
    if found.data is None:
        return None
    small = found.data_bytes is not None and found.data_bytes <= _COPIED
    return DataSettings(root=found.data, sync="once" if small else "no")


def comments_for(run: RunSettings, found: Detected) -> Comments:
    """Return what a new nodes.yaml says about its blocks."""
    chosen = Program(script=run.script, module=None if run.script else run.module)
    others = [str(program) for program in found.programs if program != chosen]
    remarks = ["What a run starts. Further keys: args, env, workdir, setup, secrets."]
    if others:
        remarks.append(f"Also found in this project: {', '.join(others[:_MAX_NAMED])}")
    data = ["The folder that the program reads; ranks get its path as DTUI_DATA. It is no code."]
    settings = data_settings(found)
    if settings is not None and settings.sync == "once":
        data.append("A deploy copies files that a node lacks. `sync: no`: the nodes have the data already.")
    else:
        data.append("It is large and not copied. `sync: once`: a deploy copies files that a node lacks.")
    data.append("Nodes with the data elsewhere: `on: {gpu1: /mnt/data}`")
    return {"run": remarks, "data": data}


def begin(
    project: Path,
    workers: Sequence[Node],
    run: RunSettings,
    *,
    master_address: str = "",
    accelerate: Path | None = None,
    found: Detected | None = None,
    replace: bool = False,
) -> Beginning:
    """Write what a first run needs; ``replace`` allows to replace an inventory that is there.

    ``accelerate`` is an Accelerate configuration to copy into the project; ``found`` is what the project has.

    The trainer's configuration is only written where it runs and there is none. Raises FileExistsError before
    anything is written, InventoryError when the workers do not fit into one file.
    """
    found = found or Detected()
    path = project / INVENTORY
    if path.exists() and not replace:
        raise FileExistsError(path)
    inventory = Inventory(
        project=project.resolve(),
        master=default_master(project.resolve(), master_address),
        workers=tuple(workers),
        run=run,
        data=None if run.is_trainer else data_settings(found),
    )
    save_inventory(inventory, path, comments_for(run, found))
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
