"""Which nodes there are and what runs on them: nodes.yaml, workers.json and lists of addresses."""

from __future__ import annotations

from fleet.inventory.edit import add_node, change_node, remove_node
from fleet.inventory.faults import Fault, FaultsError, InventoryError
from fleet.inventory.load import load_inventory, parse_inventory
from fleet.inventory.model import Inventory, Node, RunSettings, default_master, default_project
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
