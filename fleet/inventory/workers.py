"""The two short ways to name workers: the guide's ``workers.json`` and a list of addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from fleet.inventory import values
from fleet.inventory.checks import check_nodes
from fleet.inventory.faults import Fault, InventoryError
from fleet.inventory.model import Inventory, Node, default_master, default_project
from fleet.inventory.sections import Section, entries
from fleet.inventory.source import Place, compose, in_order, read_text
from fleet.nodeset import NodeSetError, expand

_KEYS = {"IPAddress": "address", "ComputerName": "name", "GPUCount": "gpus"}
_EXAMPLE = '[{"IPAddress": "192.168.1.101", "ComputerName": "Worker1", "GPUCount": 4}]'


def load_workers_json(path: Path, *, project: Path) -> Inventory:
    """Return an inventory of the workers in a workers.json, with ``project`` as the folder to deploy.

    A list of objects, or one object, as PowerShell's ConvertTo-Json writes it; UTF-8 or UTF-16.
    Raises InventoryError with all faults.
    """
    place = Place(str(path))
    described: list[tuple[Node, Section]] = []
    text = read_text(path, place)
    if text is not None:
        described = _workers(text, place, default_project(project))
    return _inventory(described, place, project)


def from_addresses(addresses: Iterable[str], *, project: Path) -> Inventory:
    """Return an inventory of workers given by address, each entry a node set; raises InventoryError."""
    place = Place("")
    found: tuple[str, ...] = ()
    try:
        # Joined, since a list split at its commas may have cut 192.168.1.[101,105] in two.
        found = expand(",".join(addresses))
    except NodeSetError as error:
        place.faults.append(Fault(str(error), "for example 192.168.1.101,192.168.1.102", key="workers"))
    place.faults.extend(
        Fault(*problem, key="workers") for address in found if (problem := values.address(address))
    )
    folder = default_project(project)
    described = [
        (Node(name=address.replace(":", "-"), address=address, project=folder), Section(None, place))
        for address in found
    ]
    return _inventory([] if place.faults else described, place, project)


def _inventory(described: list[tuple[Node, Section]], place: Place, project: Path) -> Inventory:
    master = default_master(project.resolve())
    check_nodes([(master, Section(None, place)), *described])
    if place.faults:
        raise InventoryError(in_order(place.faults))
    return Inventory(project=project.resolve(), master=master, workers=tuple(node for node, _ in described))


def _workers(text: str, place: Place, project: str) -> list[tuple[Node, Section]]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        what = "the file is empty" if not text.strip() else f"JSON syntax: {error.msg}"
        place.faults.append(Fault(what, f"write {_EXAMPLE}", place.file, error.lineno, error.colno))
        return []
    except RecursionError:
        place.fault(None, "brackets are nested too deep")
        return []
    # JSON is YAML but for tabs, which can stand between values only; read so, each value knows its place.
    root = compose(text.replace("\t", " "), place)
    items = root.value if isinstance(root, yaml.SequenceNode) else [root]
    if not items:
        place.fault(root, "lists no worker", f"write {_EXAMPLE}")
    described = []
    for index, item in enumerate(items):
        described += _worker(item, place.under(index), project)
    return described


def _worker(item: yaml.Node, place: Place, project: str) -> list[tuple[Node, Section]]:
    if not isinstance(item, yaml.MappingNode):
        place.fault(item, f"must be an object, not {values.kind(item)}", f"write {_EXAMPLE}")
        return []
    section = Section(item, place)
    for key, value in entries(item, place):
        # PowerShell, which writes and reads these files, does not tell capital from small letters.
        known = next((name for name in _KEYS if name.lower() == key.value.lower()), None)
        here = place.under(key.value)
        if values.is_secret_name(key.value):
            values.refuse_secret(key, here)
        elif known is None:
            here.fault(key, f"unknown key {key.value!r}", f"known here: {', '.join(_KEYS)}")
        elif not (known == "ComputerName" and not value.value):
            section.nodes[_KEYS[known]] = value
            section.written[_KEYS[known]] = str(key.value)
            _read(section, _KEYS[known], value, here)
    if "address" not in section.nodes:
        place.fault(item, "IPAddress is missing")
    if "address" not in section.values:
        return []
    address = section.values["address"]
    name = section.values.get("name", address.replace(":", "-"))
    return [(Node(name=name, address=address, gpus=section.values.get("gpus"), project=project), section)]


def _read(section: Section, field: str, value: yaml.Node, here: Place) -> None:
    if field == "gpus":
        parsed = values.whole_number(0, 64, "a number of GPUs")(value, here)
    else:
        parsed = values.text(value, here)
        if parsed is not None:
            problem = values.address(parsed) if field == "address" else _computer_name(parsed)
            if problem:
                here.fault(value, *problem)
                return
    if parsed is not None:
        section.values[field] = parsed


def _computer_name(value: str) -> tuple[str, str] | None:
    problem = values.name(value)
    suggestion = re.sub(r"[^\w.-]+", "-", value).strip("-")
    return (problem, f"for example {suggestion!r}") if problem else None
