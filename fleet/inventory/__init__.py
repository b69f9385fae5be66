"""Which nodes there are and what runs on them: nodes.yaml, workers.json and lists of addresses."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fleet.inventory.faults import Fault, FaultsError, InventoryError
from fleet.inventory.load import load_inventory, parse_inventory
from fleet.inventory.model import Inventory, Node, RunSettings, default_master, default_project

if TYPE_CHECKING:
    from fleet.inventory.edit import add_node, change_node, remove_node
    from fleet.inventory.render import save_inventory, to_yaml
    from fleet.inventory.route import with_master_address
    from fleet.inventory.workers import from_addresses, load_workers_json

__all__ = [
    "Fault",
    "FaultsError",
    "Inventory",
    "InventoryError",
    "Node",
    "RunSettings",
    "add_node",
    "change_node",
    "default_master",
    "default_project",
    "from_addresses",
    "load_inventory",
    "load_workers_json",
    "parse_inventory",
    "remove_node",
    "save_inventory",
    "to_yaml",
    "with_master_address",
]

#: Name -> module that has it; imported when it is asked for. Most readers, and every first frame, only load.
_LATER = {
    "add_node": "edit",
    "change_node": "edit",
    "remove_node": "edit",
    "save_inventory": "render",
    "to_yaml": "render",
    "with_master_address": "route",
    "from_addresses": "workers",
    "load_workers_json": "workers",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
