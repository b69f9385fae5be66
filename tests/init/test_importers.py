"""Inventories of other tools, as their users have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.errors import FleetError
from fleet.init.importers import Imported, import_file, recognised

ANSIBLE = """\
[gpu]
gpu1 ansible_host=10.0.0.1 ansible_user=train ansible_port=22   # the first
gpu[01:03].lan
node-[a:b] ansible_connection=local
odd ansible_host="{{ lookup('env', 'X') }}" ansible_connection=docker

[windows]
win1 ansible_host=10.0.0.9

[windows:vars]
ansible_connection=winrm
ansible_password=Secret123
ansible_python_interpreter='C:\\Python311\\python.exe'

[lab:children]
gpu
windows

[lab:vars]
ansible_user=kim
ansible_ssh_private_key_file=/keys/lab
"""


def imported(tmp_path: Path, text: str | bytes, name: str = "file") -> Imported:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_file(path)


def names(found: Imported) -> list[str]:
    return [host.name for host in found.hosts]


def test_ansible_groups_ranges_and_variables(tmp_path: Path) -> None:
    found = imported(tmp_path, ANSIBLE)
    assert found.format == "Ansible inventory"
    assert names(found) == ["gpu1", "gpu01.lan", "gpu02.lan", "gpu03.lan", "win1"]
    by_name = {host.name: host for host in found.hosts}
    gpu1, win1 = by_name["gpu1"], by_name["win1"]
    assert (gpu1.address, gpu1.user, gpu1.port, gpu1.transport) == ("10.0.0.1", "train", 22, None)
    assert (gpu1.tags, gpu1.identity) == (("gpu", "lab"), Path("/keys/lab"))
    assert by_name["gpu02.lan"].user == "kim"
    assert (win1.transport, win1.user, win1.python) == ("winrm", "kim", "C:\\Python311\\python.exe")
    reasons = [str(one.reason) for one in found.skipped]
    assert "node-a is this machine, which is the master" in reasons
    assert any("docker" in reason for reason in reasons)
    assert any("ansible_password is not imported" in reason for reason in reasons)
    assert "Secret123" not in str(found)


def test_ansible_in_yaml(tmp_path: Path) -> None:
    text = """
all:
  vars: {ansible_user: root}
  children:
    gpu:
      hosts:
        gpu[1:2]: {ansible_port: 2222}
        gpu3: {ansible_host: not an address}
      vars: {ansible_user: train, ansible_password: "{{ vault_pw }}"}
"""
    found = imported(tmp_path, text)
    assert [(host.name, host.user, host.port, host.tags) for host in found.hosts] == [
        ("gpu1", "train", 2222, ("gpu",)), ("gpu2", "train", 2222, ("gpu",)),
    ]  # fmt: skip
    assert any("gpu3" in one.where for one in found.skipped)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("10.0.0.1 slots=4\n10.0.0.2 slots=4 # comment\n", [("10.0.0.1", 4), ("10.0.0.2", 4)]),
        ("# MPI\ngpu1:2\nkim@gpu2:2\n", [("gpu1", 2), ("gpu2", 2)]),
        ("gpu1 slots=8 max_slots=8\ngpu2 slots=500\n", [("gpu1", 8), ("gpu2", None)]),
    ],
)
def test_hostfiles(tmp_path: Path, text: str, hosts: list[tuple[str, int | None]]) -> None:
    found = imported(tmp_path, text)
    assert found.format == "hostfile"
    assert [(host.address, host.gpus) for host in found.hosts] == hosts


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("gpu[01-03,07],big1\n", ["gpu01", "gpu02", "gpu03", "gpu07", "big1"]),
        ("gpu1\ngpu2\n", ["gpu1", "gpu2"]),
        ("NodeName=DEFAULT Gres=gpu:8\nNodeName=n[1-2] NodeAddr=10.0.0.[1-2] Gres=gpu:a100:4 \\\n CPUs=8\n"
         "NodeName=x[1-2] NodeAddr=10.0.0.9\nPartitionName=all Nodes=n[1-2]\n", ["n1", "n2"]),
    ],
)  # fmt: skip
def test_slurm(tmp_path: Path, text: str, hosts: list[str]) -> None:
    found = imported(tmp_path, text)
    assert (found.format, names(found)) == ("Slurm node list", hosts)
    if "Gres" in text:
        assert [(host.address, host.gpus) for host in found.hosts] == [("10.0.0.1", 4), ("10.0.0.2", 4)]
        assert len(found.skipped) == 1


def test_an_accelerate_configuration_says_where_ranks_meet(tmp_path: Path) -> None:
    text = "compute_environment: LOCAL_MACHINE\nmain_process_ip: 192.168.1.100\nmain_process_port: 29400\n"
    found = imported(tmp_path, text + "num_machines: 2\nmixed_precision: fp16\n")
    assert (found.format, found.master_address, found.port) == (
        "Accelerate configuration",
        "192.168.1.100",
        29400,
    )
    assert (found.machines, found.accelerate, found.hosts) == (2, True, ())
    odd = imported(
        tmp_path, "compute_environment: AMAZON_SAGEMAKER\nmain_process_port: x\nmain_process_ip: [1]\n"
    )
    assert (len(odd.skipped), odd.accelerate, odd.port, odd.master_address) == (3, False, None, "")


def test_ssh_config(tmp_path: Path) -> None:
    lines = (
        "Host gpu1 # my box",
        "  HostName 10.9.0.1 # lab",
        "  User train",
        "  Port 2222",
        "Host *",
        "  User x",
    )
    text = "\ufeff" + "\r\n".join(lines)
    found = imported(tmp_path, text)
    (host,) = found.hosts
    assert (host.name, host.address, host.user, host.port) == ("gpu1", "10.9.0.1", "train", 2222)
    assert (found.format, host.transport) == ("ssh_config", "ssh")


WORKERS = [
    {"IPAddress": "192.168.1.101", "ComputerName": "Worker1", "GPUCount": 4},
    {"ipaddress": "192.168.1.102", "GPUCount": 2},
    {"ComputerName": "no address"},
    {"IPAddress": "192.168.1.103", "GPUCount": "many"},
    {"IPAddress": "192.168.1.101"},
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_workers_json_in_every_encoding_of_powershell(tmp_path: Path, encoding: str, wrapped: bool) -> None:
    text = json.dumps({"value": WORKERS, "Count": len(WORKERS)} if wrapped else WORKERS)
    found = imported(tmp_path, text.encode(encoding))
    assert found.format == "workers.json"
    assert [(host.name, host.address, host.gpus) for host in found.hosts] == [
        ("Worker1", "192.168.1.101", 4), ("192.168.1.102", "192.168.1.102", 2),
        ("192.168.1.103", "192.168.1.103", None),
    ]  # fmt: skip
    assert [one.where for one in found.skipped] == ["entry 3", "entry 4", "entry 5"]


@pytest.mark.parametrize(
    "text", ["", "hello world, this is a letter\n", "{", "- a\n- b\n", "x: 1\n", "\0\0\0"]
)
def test_other_files_are_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(FleetError, match="letter"):
        imported(tmp_path, text, "letter")


def test_the_format_is_named_for_a_file_given_as_an_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(ANSIBLE)
    (tmp_path / "nodes.yaml").write_text("nodes:\n  - name: gpu1\n")
    assert recognised(tmp_path / "hosts") == "Ansible inventory"
    assert recognised(tmp_path / "nodes.yaml") is None
    assert recognised(tmp_path / "missing") is None


WORDS = st.sampled_from([
    "[gpu]", "[gpu:vars]", "gpu[1:3]", "gpu[1-9999999]", "ansible_host=", "10.0.0.1", "slots=4", "\n", " ",
    "hosts:", "all:", "  ", "children:", "{{ x }}", "'", "NodeName=", "Host ", "HostName ", "#", "[", "]",
    "\ufeff", '{"IPAddress": "1.2.3.4"}', "compute_environment: x", ":",
])  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=30).map("".join), st.binary(max_size=200)))
def test_any_file_is_imported_or_refused(tmp_path: Path, text: str | bytes) -> None:
    try:
        found = imported(tmp_path, text)
    except FleetError:
        return
    assert len(found.hosts) <= 65536
