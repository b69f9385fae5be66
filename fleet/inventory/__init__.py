"""Which nodes there are and what runs on them: nodes.yaml, workers.json and lists of addresses."""

from __future__ import annotations

from fleet.inventory.faults import Fault, FaultsError, InventoryError
from fleet.inventory.model import Inventory, Node, RunSettings, default_master, default_project

__all__ = [
    "Fault",
    "FaultsError",
    "Inventory",
    "InventoryError",
    "Node",
    "RunSettings",
    "default_master",
    "default_project",
]
