"""workers.json of the guide, addresses on the command line, and the master's own address."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fleet.inventory import (
    InventoryError,
    Node,
    from_addresses,
    load_workers_json,
    with_master_address,
)

GUIDE = """\
[
  {"IPAddress": "192.168.1.101", "ComputerName": "Worker1", "GPUCount": 4},
  {"IPAddress": "192.168.1.102", "ComputerName": "Worker2", "GPUCount": 4}
]
"""


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "workers.json"
    path.write_bytes(text.encode(encoding))
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        load_workers_json(write(folder, text), project=folder)
    return [str(fault).removeprefix(f"{folder / 'workers.json'}:") for fault in caught.value.faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_guides_file_as_powershell_writes_it(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "floorplan"
    folder.mkdir()
    path = write(folder, GUIDE.replace("\n", "\r\n").replace("  ", "\t"), encoding)
    inventory = load_workers_json(path, project=folder)
    assert inventory.project == folder
    assert inventory.master.transport == "local"
    assert inventory.workers == (
        Node(name="Worker1", address="192.168.1.101", gpus=4, project="~/dtui/floorplan"),
        Node(name="Worker2", address="192.168.1.102", gpus=4, project="~/dtui/floorplan"),
    )


def test_one_object_without_a_list_and_without_name_or_count(tmp_path: Path) -> None:
    inventory = load_workers_json(write(tmp_path, '{"ipaddress": "10.0.0.1"}'), project=tmp_path)
    assert [(node.name, node.gpus) for node in inventory.workers] == [("10.0.0.1", None)]


def test_all_faults_at_once_in_the_files_own_words(tmp_path: Path) -> None:
    text = """\
[
  {"IPAddress": "192.168.1.300", "GPUCount": "4"},
  {"IPAddress": "10.0.0.1", "Computer": "x", "Password": "hunter2"},
  {"ComputerName": "my pc"},
  {"IPAddress": "10.0.0.1", "GPUCount": -1},
  7
]
"""
    found = faults_of(tmp_path, text)
    assert [fault.split(";")[0] for fault in found] == [
        "2:17: [0].IPAddress: '192.168.1.300' is not an IPv4 address",
        "2:46: [0].GPUCount: must be a number of GPUs, not text",
        "3:29: [1].Computer: unknown key 'Computer'",
        "3:46: [1].Password: a secret must not be in this file",
        "4:3: [2]: IPAddress is missing",
        "4:20: [2].ComputerName: 'my pc' can't be a name: use up to 100 letters, digits, '.', '_' and '-'",
        "5:17: [3].IPAddress: the name '10.0.0.1' is already used by 10.0.0.1 (line 3)",
        "5:17: [3].IPAddress: 10.0.0.1 has the same address and port as 10.0.0.1 (line 3)",
        "5:41: [3].GPUCount: must be a number of GPUs from 0 to 64, not -1",
        "6:3: [4]: must be an object, not '7'",
    ]
    assert "hunter2" not in "".join(found)
    assert found[5].endswith("for example 'my-pc'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("[]", "1:1: the file lists no workers"),
        ('[{"IPAddress": "10.0.0.1",}]', "JSON syntax"),
        ("192.168.1.101", "JSON syntax"),
        ("[" * 100000, "nested too deep"),
    ],
    ids=["empty", "no worker", "comma", "no json", "deep"],
)
def test_what_is_not_a_list_of_workers(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = faults_of(tmp_path, text)
    assert expected in found


def test_addresses_of_the_command_line(tmp_path: Path) -> None:
    inventory = from_addresses(["192.168.1.101", "fe80::1", "10.0.0.[1", "3]"], project=tmp_path)
    assert [(node.name, node.address) for node in inventory.workers] == [
        ("192.168.1.101", "192.168.1.101"),
        ("fe80--1", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.3", "10.0.0.3"),
    ]


def test_all_wrong_addresses_are_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        from_addresses(["10.0.0.1", "10.0.0.256", "10.0.0.2:22"], project=tmp_path)
    assert [fault.what for fault in caught.value.faults] == [
        "'10.0.0.256' is not an IPv4 address",
        "'10.0.0.2:22' is not an address",
    ]
    with pytest.raises(InventoryError):
        from_addresses([], project=tmp_path)


def test_the_master_is_reached_by_its_address_towards_the_workers(tmp_path: Path) -> None:
    inventory = with_master_address(from_addresses(["127.0.0.7"], project=tmp_path))
    assert inventory.master.address == "127.0.0.1"
    assert with_master_address(inventory) is inventory
    with socket.socket() as listener:
        listener.bind((inventory.master.address, 0))  # an address of ours


def test_no_route_leaves_the_master_without_an_address(tmp_path: Path) -> None:
    alone = from_addresses(["x.invalid"], project=tmp_path)
    assert with_master_address(alone) == alone
