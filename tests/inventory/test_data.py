"""``data`` in nodes.yaml: read, checked and written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.data import data_of
from fleet.inventory import Inventory, InventoryError, parse_inventory, to_yaml
from fleet.inventory.model import DataSettings

NODES = "nodes: [{name: 'gpu[1-3]'}]\n"


def read(tmp_path: Path, text: str) -> Inventory:
    return parse_inventory(text + NODES, tmp_path / "nodes.yaml")


def test_all_keys_are_read_and_written_back(tmp_path: Path) -> None:
    text = "data: {root: sets/a, on: {gpu1: 'D:\\data', 'gpu[2-3]': ~/x}, sync: mirror, parity: off}\n"
    found = read(tmp_path, text)
    assert found.data == DataSettings(
        root="sets/a", on=(("gpu1", "D:\\data"), ("gpu[2-3]", "~/x")), sync="mirror", parity="off"
    )
    assert parse_inventory(to_yaml(found, tmp_path / "nodes.yaml"), tmp_path / "nodes.yaml") == found


@pytest.mark.parametrize("text", ["", "data:\n", "data: {sync: no}\n", "data: {parity: sizes}\n"])
def test_a_program_without_described_data_has_none(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text + "run: {script: train.py}\n")
    assert data_of(found) is None
    assert parse_inventory(to_yaml(found, tmp_path / "nodes.yaml"), tmp_path / "nodes.yaml") == found


def test_each_node_has_its_folder(tmp_path: Path) -> None:
    found = read(tmp_path, "data: {root: ../sets, on: {gpu2: /mnt/sets}}\nrun: {script: a.py}\n")
    data = data_of(found)
    assert data is not None
    assert (data.root, data.inside, data.sync) == (tmp_path.parent / "sets", None, "no")
    own = f"~/dtui/{tmp_path.name}/../sets"
    assert [data.folder_on(node) for node in found.workers] == [own, "/mnt/sets", own]
    assert [data.is_source(found, node) for node in found.nodes] == [True, False, False, False]


def test_a_folder_that_only_some_nodes_have_is_not_copied(tmp_path: Path) -> None:
    data = data_of(read(tmp_path, "data: {on: {gpu2: /mnt/a}, sync: once}\nrun: {script: a.py}\n"))
    assert data is not None
    assert (data.root, data.sync, dict(data.folders)) == (None, "no", {"gpu2": "/mnt/a"})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("data: {root: .}\n", "contains the project itself"),
        ("data: {root: ..}\n", "contains the project itself"),
        ("data: {sync: twice}\n", "must be one of"),
        ("data: {on: {gpu9: /a}}\n", "there is no node 'gpu9'"),
        ("data: {on: {gpu1: sets}}\n", "not an absolute path"),
        ("data: {on: [/a]}\n", "must be nodes with their folders"),
        ("data: {folder: a}\n", "unknown key"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read(tmp_path, text)
    assert what in str(caught.value)


def test_patterns_of_outputs_are_read_and_written_back(tmp_path: Path) -> None:
    found = read(tmp_path, "outputs: [/results/, '*.ckpt', '!keep.ckpt']\n")
    assert found.outputs == ("/results/", "*.ckpt", "!keep.ckpt")
    assert parse_inventory(to_yaml(found, tmp_path / "nodes.yaml"), tmp_path / "nodes.yaml") == found
