"""Reads ``nodes.yaml`` into an Inventory, or reports every fault in it."""

from __future__ import annotations

from pathlib import Path

from fleet.inventory.checks import check_nodes
from fleet.inventory.faults import InventoryError
from fleet.inventory.members import inherit, node_fields, on_master, read_workers
from fleet.inventory.model import Inventory, Node, RunSettings, default_project
from fleet.inventory.sections import Section, read_section
from fleet.inventory.source import Place, compose, in_order, read_text


def load_inventory(path: Path) -> Inventory:
    """Return the inventory of a nodes.yaml; raises InventoryError with all faults."""
    place = Place(str(path))
    text = read_text(path, place)
    return _checked(_inventory(text, path, place) if text is not None else None, place)


def parse_inventory(text: str, path: Path) -> Inventory:
    """Return the inventory of a text as if it stood in ``path``; raises InventoryError."""
    place = Place(str(path))
    return _checked(_inventory(text, path, place), place)


def _checked(inventory: Inventory | None, place: Place) -> Inventory:
    if inventory is None or place.faults:
        raise InventoryError(in_order(place.faults))
    return inventory


def _inventory(text: str, path: Path, place: Place) -> Inventory | None:
    root = compose(text, place)
    if root is None:
        if not place.faults:
            place.fault(None, "the file is empty", "list the workers under `nodes:`, see docs/inventory.md")
        return None
    top = read_section(root, place, "file")
    folder = path.resolve().parent
    project = _project(top, folder)
    run = _run(read_section(top.nodes.get("run"), place.under("run"), "run"))
    master = _master(read_section(top.nodes.get("master"), place.under("master"), "master"), project)
    workers = read_workers(top, folder, default_project(project))
    check_nodes([master, *workers])
    return Inventory(
        project=project,
        master=master[0],
        workers=tuple(node for node, _ in workers),
        run=run,
        production=top.values.get("production", False),
        source=path,
    )


def _project(top: Section, folder: Path) -> Path:
    written = top.values.get("project")
    if written is None:
        return folder.parent if folder.name == "configs" else folder
    project = on_master(written, folder)
    if not project.is_dir():
        top.fault("project", f"there is no folder {project}", "name the folder to deploy")
    return project


def _run(section: Section) -> RunSettings:
    values = dict(section.values)
    if "module" in section.nodes and "script" in section.nodes:
        section.fault(
            "script", "`module` and `script` are both given", "keep the one that starts the program"
        )
    if "script" in values:
        values["module"] = None
    values["env"] = tuple(values.get("env", {}).items())
    return RunSettings(**values)


def _master(section: Section, project: Path) -> tuple[Node, Section]:
    values = inherit({}, section)
    names = values.pop("name", ("master",))
    if len(names) > 1:
        section.fault("name", "the master is one machine", "list the others under `nodes`")
    fields = node_fields(values, project)
    return Node(**{"transport": "local", "project": str(project), **fields, "name": names[0]}), section
