"""Workers from a ``workers.json`` of the setup scripts, or from a list of addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import yaml

from agent.wire.message import message
from fleet.inventory import node_names, values
from fleet.inventory.checks import check_nodes
from fleet.inventory.faults import Fault, InventoryError
from fleet.inventory.model import Inventory, Node, default_master, default_project
from fleet.inventory.sections import Section, entries, report_unknown_key
from fleet.inventory.source import (
    MAX_FAULTS,
    Place,
    TooManyFaults,
    allocating,
    compose,
    in_order,
    read_text,
)
from fleet.nodeset import NodeSetError, expand

_KEYS = {"IPAddress": "address", "ComputerName": "name", "GPUCount": "gpus"}
_gpu_count = values.whole_number(0, 64, message("inventory.gpu-count", "a number of GPUs"))
_WRITE_EXAMPLE = message(
    "inventory.workers-json.remedy",
    "write {example}",
    example='[{"IPAddress": "192.168.1.101", "ComputerName": "Worker1", "GPUCount": 4}]',
)


def load_workers_json(path: Path, *, project: Path) -> Inventory:
    """Return an inventory of the workers in a workers.json, with ``project`` as the folder to deploy.

    A list of objects, or one object, as PowerShell's ConvertTo-Json writes it; UTF-8 or UTF-16.
    Raises InventoryError with all faults.
    """
    place = Place(str(path))
    described: list[tuple[Node, Section]] = []
    text = read_text(path, place)
    with allocating(), suppress(TooManyFaults):
        if text is not None:
            described = _workers(text, place, default_project(project))
    return _inventory(described, place, project)


def from_addresses(addresses: Iterable[str], *, project: Path) -> Inventory:
    """Return an inventory of workers given by address, each entry a node set; raises InventoryError.

    An address may start with a user: ``kim@192.168.1.[101-104]``.
    """
    place = Place("")
    found: tuple[str, ...] = ()
    try:
        # Joined, since a list split at its commas may have cut 192.168.1.[101,105] in two.
        found = expand(",".join(addresses))
    except NodeSetError as error:
        remedy = message("inventory.addresses.remedy", "for example 192.168.1.101,192.168.1.102")
        place.faults.append(Fault(error.message, remedy, key="workers"))
    workers = [(user or None, address) for user, _, address in (word.rpartition("@") for word in found)]
    problems = (problem for _, address in workers if (problem := node_names.address(address)))
    place.faults.extend(Fault(*problem, key="workers") for problem in islice(problems, MAX_FAULTS))
    folder = default_project(project)
    described = [
        (
            Node(name=node_names.name_of(address), address=address, user=user, project=folder),
            Section(None, place),
        )
        for user, address in workers
    ]
    return _inventory([] if place.faults else described, place, project)


def _inventory(described: list[tuple[Node, Section]], place: Place, project: Path) -> Inventory:
    master = default_master(project.resolve())
    with suppress(TooManyFaults):
        check_nodes([(master, Section(None, place)), *described])
    if place.faults:
        raise InventoryError(in_order(place.faults))
    return Inventory(project=project.resolve(), master=master, workers=tuple(node for node, _ in described))


def _workers(text: str, place: Place, project: str) -> list[tuple[Node, Section]]:
    try:
        # Only the syntax matters here; very long numbers must not be converted.
        json.loads(text, parse_int=len, parse_float=len)
    except json.JSONDecodeError as error:
        if text.strip():
            what = message("inventory.json-syntax", "JSON syntax: {error}", error=error.msg)
        else:
            what = message("inventory.empty-file", "the file is empty")
        place.faults.append(Fault(what, _WRITE_EXAMPLE, place.file, error.lineno, error.colno))
        return []
    except RecursionError:
        place.fault(None, message("yaml.nesting", "blocks or brackets are nested too deep"), _WRITE_EXAMPLE)
        return []
    # JSON is YAML except for tabs, which can only be between values; as YAML, each value has a position.
    root = compose(text.replace("\t", " "), place)
    if root is None:
        return []
    root = _unwrapped(root)
    items = root.value if isinstance(root, yaml.SequenceNode) else [root]
    if not items:
        place.fault(root, message("inventory.no-workers", "the file lists no workers"), _WRITE_EXAMPLE)
    described = []
    for index, item in enumerate(items):
        described += _worker(item, place.under(index), project)
    return described


def _unwrapped(root: yaml.Node) -> yaml.Node:
    """Return the list in ``{"value": [...], "Count": n}``: PowerShell writes that of a list in a variable."""
    if not isinstance(root, yaml.MappingNode):
        return root
    parts = {str(key.value).lower(): value for key, value in root.value}
    listed = parts.get("value")
    return listed if isinstance(listed, yaml.SequenceNode) and parts.keys() <= {"value", "count"} else root


def _worker(item: yaml.Node, place: Place, project: str) -> list[tuple[Node, Section]]:
    if not isinstance(item, yaml.MappingNode):
        place.fault(
            item,
            message("inventory.not-an-object", "must be an object, not {given}", given=values.kind(item)),
            _WRITE_EXAMPLE,
        )
        return []
    section = Section(item, place)
    for key, value in entries(item, place):
        # PowerShell, which writes and reads these files, ignores the case of keys.
        known = next((name for name in _KEYS if name.lower() == key.value.lower()), None)
        here = place.under(key.value)
        if known is None:
            hint = message("inventory.known-keys", "the known keys are {keys}", keys=tuple(_KEYS))
            report_unknown_key(key, value, here, hint)
        elif not (known == "ComputerName" and not value.value):
            section.nodes[_KEYS[known]] = value
            section.written[_KEYS[known]] = str(key.value)
            _read(section, _KEYS[known], value, here)
    if "address" not in section.nodes:
        place.fault(item, message("inventory.ip-address-missing", "IPAddress is missing"))
    if "address" not in section.values:
        return []
    address, gpus = str(section.values["address"]), section.values.get("gpus")
    name = str(section.values.get("name", node_names.name_of(address)))
    count = gpus if isinstance(gpus, int) else None
    return [(Node(name=name, address=address, gpus=count, project=project), section)]


def _read(section: Section, field: str, value: yaml.Node, here: Place) -> None:
    parsed: object
    if field == "gpus":
        parsed = _gpu_count(value, here)
    else:
        text = parsed = values.text(value, here)
        if text is not None:
            problem = node_names.address(text) if field == "address" else _computer_name(text)
            if problem:
                here.fault(value, *problem)
                return
    if parsed is not None:
        section.values[field] = parsed


def _computer_name(value: str) -> values.Problem | None:
    problem = node_names.name(value)
    if problem is None:
        return None
    suggestion = re.sub(r"[^\w.-]+", "-", value).strip("-")
    return problem, message("inventory.name.remedy", "for example {name!r}", name=suggestion)
