"""Where an inventory was read from is no part of what it describes."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from fleet.inventory import Inventory, default_master, load_inventory, save_inventory


def test_an_inventory_that_was_in_no_file_is_saved_and_read_back(tmp_path: Path) -> None:
    made = Inventory(project=tmp_path, master=default_master(tmp_path))
    path = tmp_path / "nodes.yaml"
    save_inventory(made, path)
    found = load_inventory(path)
    assert found.source == path
    assert found == made
    assert hash(found) == hash(made)
    assert replace(found, production=True) != made
