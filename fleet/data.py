"""The data of a program: where it is on the master and on each node, and how it is treated."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

from msgspec import Struct
from msgspec.structs import replace

from fleet.inventory import Inventory, Node
from fleet.inventory.model import DataParity, DataSettings, DataSync
from fleet.nodeset import NodeSetError
from fleet.program_config import read_config

#: The bundled trainer's default.
_TRAINER_ROOT = "data"


class Data(Struct, frozen=True):
    """The data of one inventory."""

    #: On the master, absolute; None when the nodes have data and the master has not.
    root: Path | None
    #: The path of ``root`` in the project, with ``/``; None when it is outside.
    inside: str | None
    sync: DataSync
    parity: DataParity
    #: Node -> its folder, absolute or relative to the node's project; without those that have none.
    folders: Mapping[str, str]

    def folder_on(self, node: Node) -> str | None:
        """Return the folder on a node, as the agent there understands it; None when the node has none."""
        folder = self.folders.get(node.name)
        return None if folder is None else folder if _absolute(folder) else f"{node.project}/{folder}"

    def is_source(self, inventory: Inventory, node: Node) -> bool:
        """Return whether the node reads the folder on the master itself."""
        folder = self.folders.get(node.name)
        if node.name != inventory.master.name or folder is None:
            return False
        return _on_master(folder, inventory.project) == self.root


def data_of(inventory: Inventory) -> Data | None:
    """Return an inventory's data, None when it has none. Reads the bundled trainer's configuration."""
    settings = _settings(inventory)
    if settings is None or (settings.root is None and not settings.on):
        return None
    project = inventory.project
    root = inside = None
    folders: dict[str, str] = {}
    if settings.root is not None:
        root = _on_master(settings.root, project)
        if root.is_relative_to(project) and root != project:
            inside = root.relative_to(project).as_posix()
        everywhere = settings.root if _absolute(settings.root) and inside is None else None
        relative = inside if inside is not None else Path(os.path.relpath(root, project)).as_posix()
        folders = {node.name: everywhere or relative for node in inventory.nodes}
        if everywhere:
            folders[inventory.master.name] = str(root)
    for nodes, folder in settings.on:
        with suppress(NodeSetError):  # names workers that are not taking part
            folders.update((node.name, folder) for node in inventory.select(nodes))
    return Data(root, inside, settings.sync if root else "no", settings.parity, folders)


def _settings(inventory: Inventory) -> DataSettings | None:
    settings = inventory.data
    if not inventory.run.is_trainer:
        return settings
    if settings is None:
        return DataSettings(root=_trainer_root(inventory), sync="once")
    return settings if settings.root is not None else replace(settings, root=_trainer_root(inventory))


def _trainer_root(inventory: Inventory) -> str:
    handed = inventory.run.program_config
    values = read_config(inventory.project / handed)[0] if handed else {}
    section = values.get("data")
    root = section.get("root") if isinstance(section, dict) else None
    return str(root) if root else _TRAINER_ROOT


def _on_master(written: str, project: Path) -> Path:
    # Path's own raises for an unknown user's home.
    return Path(os.path.normpath(project / os.path.expanduser(written)))  # noqa: PTH111


def _absolute(path: str) -> bool:
    return path.startswith("~") or PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
