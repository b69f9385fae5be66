"""Edits of a user's nodes.yaml: the change, and nothing else."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from fleet.inventory import InventoryError, add_node, change_node, load_inventory, remove_node

TEXT = """\
# my nodes
project: .
groups:
  lab:   # the lab
    user: kim
    nodes:
      - name: gpu[1-4]   # four alike
        address: 192.168.1.[101-104]
        # keep me
        port: 22

      # about x
      - name: x
        address: 10.0.0.9
        env:
          A: 1

# the others
nodes:
- {name: y, address: 10.0.0.10}
- name: z  # zzz
  user: lee
# end
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "nodes.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def changes(path: Path, before: str = TEXT) -> list[str]:
    """The lines that an edit took out (-) and put in (+)."""
    after = path.read_text(encoding="utf-8")
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_a_node_is_added_at_the_end(path: Path) -> None:
    inventory = add_node(path, {"name": "new[1-2]", "address": "10.1.0.[1-2]", "gpus": [0, 1], "user": "no"})
    assert changes(path) == [
        "+ - name: new[1-2]",
        "+   address: 10.1.0.[1-2]",
        "+   gpus: [0, 1]",
        "+   user: 'no'",
    ]
    assert inventory == load_inventory(path)
    assert inventory.workers[-1].user == "no"


def test_a_node_is_removed_with_its_lines(path: Path) -> None:
    remove_node(path, "x")
    assert changes(path) == [
        "-       - name: x",
        "-         address: 10.0.0.9",
        "-         env:",
        "-           A: 1",
    ]
    remove_node(path, "y")
    assert "{name: y" not in path.read_text()


def test_a_node_is_removed_from_the_middle_of_a_set(path: Path) -> None:
    inventory = remove_node(path, "gpu3")
    assert "name: gpu[1-2,4]   # four alike" in path.read_text()
    assert "address: 192.168.1.[101-102,104]" in path.read_text()
    assert [node.name for node in inventory.workers] == ["gpu1", "gpu2", "gpu4", "x", "y", "z"]


def test_keys_are_changed_added_and_removed(path: Path) -> None:
    change_node(path, "x", {"address": "10.0.0.8", "env": {"B": "2"}, "port": 2222})
    assert changes(path) == [
        "-         address: 10.0.0.9",
        "+         address: 10.0.0.8",
        "-         env:",
        "-           A: 1",
        "+         env: {B: '2'}",
        "+         port: 2222",
    ]
    change_node(path, "y", {"port": 23, "address": None, "tags": ["a"]})
    assert "- {name: y, port: 23, tags: [a]}" in path.read_text()
    change_node(path, "z", {"user": None})
    assert "- name: z  # zzz\n# end\n" in path.read_text()
    change_node(path, "z", {"address": "10.3.3.3", "name": None})
    assert "- address: 10.3.3.3\n# end\n" in path.read_text()


def test_a_node_of_a_set_gets_its_own_entry_at_its_own_rank(path: Path) -> None:
    before = load_inventory(path)
    inventory = change_node(path, "gpu3", {"port": 2222})
    assert [node.name for node in inventory.workers] == [node.name for node in before.workers]
    assert [node.port for node in inventory.workers[:4]] == [22, 22, 2222, 22]
    assert inventory.workers[2].user == "kim"
    assert path.read_text().count("# keep me") == 3


@pytest.mark.parametrize(
    "empty", ["", "nodes:\n", "nodes: []\n", "nodes: []  # none yet\nrun:\n  port: 29501\n", "nodes:"]
)
def test_the_first_node(tmp_path: Path, empty: str) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text("# mine\nproject: .\n" + empty)
    inventory = add_node(path, {"name": "a", "address": "10.0.0.1"})
    assert [node.name for node in inventory.workers] == ["a"]
    assert path.read_text().startswith("# mine\nproject: .\n")
    assert [node.name for node in add_node(path, {"name": "b"}).workers] == ["a", "b"]
    remove_node(path, "a")
    assert remove_node(path, "b").workers == ()


def test_windows_line_ends_stay(path: Path) -> None:
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    add_node(path, {"name": "w", "address": "10.9.9.9"})
    change_node(path, "gpu2", {"port": 1})
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert load_inventory(path).node("w").address == "10.9.9.9"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda path: add_node(path, {"name": "x"}), "the name 'x' is already used"),
        (lambda path: add_node(path, {"name": "new", "prot": 1}), "unknown key 'prot'"),
        (lambda path: add_node(path, {"name": "new", "password": "hunter2"}), "a secret must not be"),
        (lambda path: change_node(path, "gpu1", {"port": 0}), "from 1 to 65535"),
        (lambda path: change_node(path, "nobody", {"port": 1}), "no worker 'nobody'"),
        (lambda path: remove_node(path, "master"), "no worker 'master'"),
    ],
)  # fmt: skip
def test_a_faulty_edit_writes_nothing(path: Path, edit: object, expected: str) -> None:
    with pytest.raises(InventoryError, match=expected):
        edit(path)  # type: ignore[operator]
    assert path.read_text() == TEXT
    assert [file.name for file in path.parent.iterdir()] == ["nodes.yaml"]


def test_a_list_in_one_line_is_left_to_the_user(path: Path) -> None:
    text = "nodes: [{name: a}, {name: b}]\n"
    path.write_text(text)
    for edit in (lambda: remove_node(path, "a"), lambda: add_node(path, {"name": "c"})):
        with pytest.raises(
            InventoryError,
            match=r"nodes.yaml:1:8: dtui cannot edit a list of nodes .* one line; edit the file",
        ):
            edit()
    assert path.read_text() == text
