"""Reads ``nodes.yaml`` into an Inventory, or reports every fault in it."""

from __future__ import annotations

import os.path
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.wire.message import message
from fleet.inventory.checks import check_nodes
from fleet.inventory.faults import InventoryError
from fleet.inventory.members import block, inherit, node_fields, on_master, read_workers, words
from fleet.inventory.model import DataSettings, Inventory, Node, RunSettings, default_project
from fleet.inventory.sections import Section, read_section
from fleet.inventory.source import Place, TooManyFaults, allocating, compose, in_order, read_text
from fleet.nodeset import NodeSetError
from transports.registry import LOCAL_TRANSPORT


def load_inventory(path: Path) -> Inventory:
    """Return the inventory of a nodes.yaml; raises InventoryError with all faults."""
    place = Place(str(path))
    text = read_text(path, place)
    return _read(text, path, place)


def parse_inventory(text: str, path: Path) -> Inventory:
    """Return the inventory of a text as if it were the file ``path``; raises InventoryError."""
    return _read(text, path, Place(str(path)))


def _read(text: str | None, path: Path, place: Place) -> Inventory:
    inventory: Inventory | None = None
    with allocating(), suppress(TooManyFaults):
        inventory = _inventory(text, path, place) if text is not None else None
    if inventory is None or place.faults:
        raise InventoryError(in_order(place.faults))
    return inventory


def _inventory(text: str, path: Path, place: Place) -> Inventory | None:
    root = compose(text, place)
    if root is None:
        if not place.faults:
            place.fault(
                None,
                message("inventory.empty-file", "the file is empty"),
                message(
                    "inventory.empty-file.remedy", "list the workers under `nodes:` (see docs/inventory.md)"
                ),
            )
        return None
    top = read_section(root, place, "file")
    folder = path.resolve().parent
    project = _project(top, folder)
    run = _run(read_section(top.nodes.get("run"), place.under("run"), "run"))
    master = _master(read_section(top.nodes.get("master"), place.under("master"), "master"), project)
    workers = read_workers(top, folder, default_project(project))
    check_nodes([master, *workers])
    data = read_section(top.nodes.get("data"), place.under("data"), "data")
    inventory = Inventory(
        project=project,
        master=master[0],
        workers=tuple(node for node, _ in workers),
        run=run,
        data=_data(data, project) if "data" in top.nodes else None,
        outputs=words(top.values, "outputs"),
        production=top.values.get("production") is True,
        source=path,
    )
    for nodes, _ in inventory.data.on if inventory.data else ():
        try:
            inventory.select(nodes)
        except NodeSetError as error:
            data.fault("on", error.message)
    return inventory


def _data(section: Section, project: Path) -> DataSettings:
    root = section.values.get("root")
    if root is not None and project.is_relative_to(on_master(str(root), project)):
        section.fault(
            "root",
            message("inventory.data-is-project", "{folder} contains the project itself", folder=str(root)),
            message("inventory.data-is-project.remedy", "name the folder that holds only the data"),
        )
    values = {**section.values, "on": tuple(block(section.values, "on").items())}
    return msgspec.convert(values, DataSettings)


def _project(top: Section, folder: Path) -> Path:
    written = top.values.get("project")
    if written is None:
        return folder.parent if folder.name == "configs" else folder
    project = on_master(str(written), folder)
    # Path.is_dir raises for a name that is too long.
    if not os.path.isdir(project):  # noqa: PTH112
        top.fault(
            "project",
            message("inventory.project-missing", "there is no folder {folder}", folder=str(project)),
            message("inventory.project-missing.remedy", "set `project` to the folder to deploy"),
        )
    return project


def _run(section: Section) -> RunSettings:
    values = dict(section.values)
    if "accelerate" in values:
        # FSDP, DeepSpeed and the like are set up by the launcher.
        values.setdefault("method", "accelerate")
    if "module" in section.nodes and "script" in section.nodes:
        section.fault(
            "script",
            message("inventory.module-and-script", "`module` and `script` are both given"),
            message("inventory.module-and-script.remedy", "keep the one that starts the program"),
        )
    if "script" in values:
        values["module"] = None
    env = block(values, "env")
    for name in words(values, "secrets"):
        if name in env:
            section.fault(
                "secrets",
                message("inventory.secret-in-env", "{name} is also in `env`", name=name),
                message("inventory.secret-in-env.remedy", "keep one of the two"),
            )
    values["env"] = tuple(env.items())
    return msgspec.convert(values, RunSettings)


def _master(section: Section, project: Path) -> tuple[Node, Section]:
    values = inherit({}, section)
    names = words(values, "name") or ("master",)
    if len(names) > 1:
        section.fault(
            "name",
            message("inventory.several-masters", "the master must be one machine"),
            message("inventory.several-masters.remedy", "list the other machines under `nodes`"),
        )
    fields = node_fields(values, project)
    master = {"transport": LOCAL_TRANSPORT, "project": str(project), **fields, "name": names[0]}
    return msgspec.convert(master, Node), section
