"""Files as users of other tools have them: each is imported, and recognised when given as an inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.init.importers import Imported, import_file, recognised
from fleet.inventory import load_inventory, load_workers_json
from tests.init.conftest import Desk
from trainer.errors import ConfigError
from trainer.settings_file import load

ANSIBLE_INI = """\
[gpu]
gpu1 ansible_host=10.0.0.1 ansible_user=train ansible_port=22
gpu[01:04].lan

[gpu:vars]
ansible_connection=winrm
ansible_winrm_transport=ntlm
ansible_winrm_server_cert_validation=ignore
ansible_password=Secret123
"""
ANSIBLE_YAML = """\
all:
  children:
    gpu:
      hosts:
        gpu1:
          ansible_host: 10.0.0.1
        gpu2:
          ansible_host: 10.0.0.2
      vars:
        ansible_user: train
        ansible_password: "{{ vault_pw }}"
"""
HOSTFILE = "10.0.0.1 slots=4\n10.0.0.2 slots=4\n"
ACCELERATE = """\
compute_environment: LOCAL_MACHINE
debug: false
distributed_type: MULTI_GPU
downcast_bf16: 'no'
gpu_ids: all
machine_rank: 0
main_process_ip: 192.168.1.100
main_process_port: 29400
main_training_function: main
mixed_precision: fp16
num_machines: 2
num_processes: 8
rdzv_backend: static
same_network: true
tpu_env: []
use_cpu: false
"""
WORKERS = '[{"IPAddress":"192.168.1.101","ComputerName":"Worker1","GPUCount":4}]'
#: As ConvertTo-Json of Windows PowerShell 5.1 writes it.
LIST = (
    '[\r\n    {\r\n        "IPAddress":  "192.168.1.101",\r\n        "ComputerName":  "Worker1",\r\n'
    '        "GPUCount":  4\r\n    },\r\n    {\r\n        "IPAddress":  "192.168.1.102",\r\n'
    '        "ComputerName":  "Worker2",\r\n        "GPUCount":  4\r\n    }\r\n]\r\n'
)
WRAPPED = (
    '{\r\n    "value":  [\r\n                  {\r\n                      "IPAddress":  "192.168.1.101",\r\n'
    '                      "GPUCount":  4\r\n                  },\r\n                  {\r\n'
    '                      "IPAddress":  "192.168.1.102",\r\n                      "GPUCount":  4\r\n'
    '                  }\r\n              ],\r\n    "Count":  2\r\n}\r\n'
)
FOUR = [f"gpu0{number}.lan" for number in range(1, 5)]


def imported(tmp_path: Path, name: str, text: str | bytes) -> Imported:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_file(path)


@pytest.mark.parametrize(
    ("name", "text", "form", "hosts", "skipped"),
    [
        ("ansible.ini", ANSIBLE_INI, "Ansible inventory",
         [("gpu1", "10.0.0.1", "train", None), *((name, name, None, None) for name in FOUR)],
         ["ansible_password"]),
        ("ansible.yml", ANSIBLE_YAML, "Ansible inventory",
         [("gpu1", "10.0.0.1", "train", None), ("gpu2", "10.0.0.2", "train", None)], ["ansible_password"]),
        ("hostfile", HOSTFILE, "hostfile",
         [("10.0.0.1", "10.0.0.1", None, 4), ("10.0.0.2", "10.0.0.2", None, 4)], []),
        ("default_config.yaml", ACCELERATE, "Accelerate configuration", [], []),
        ("workers.json", WORKERS, "workers.json", [("Worker1", "192.168.1.101", None, 4)], []),
    ],
)  # fmt: skip
def test_inventories_of_other_tools(
    tmp_path: Path, name: str, text: str, form: str, hosts: list[object], skipped: list[str]
) -> None:
    found = imported(tmp_path, name, text)
    assert str(found.format) == form == recognised(tmp_path / name)
    assert [(host.name, host.address, host.user, host.gpus) for host in found.hosts] == hosts
    assert len(found.skipped) == len(skipped)
    assert all(word in str(one.reason) for word, one in zip(skipped, found.skipped, strict=True))
    assert "Secret123" not in str(found)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"\xff\xfe" + LIST.encode("utf-16-le"), ["Worker1", "Worker2"]),
        (LIST.encode("utf-16-le"), ["Worker1", "Worker2"]),
        (b"\xff\xfe" + WRAPPED.encode("utf-16-le"), ["192.168.1.101", "192.168.1.102"]),
        (WRAPPED.encode(), ["192.168.1.101", "192.168.1.102"]),
    ],
    ids=["UTF-16", "UTF-16 without a mark", "value and Count, UTF-16", "value and Count"],
)
def test_workers_json_is_imported_and_read_as_workers_file(
    tmp_path: Path, text: bytes, names: list[str]
) -> None:
    found = imported(tmp_path, "workers.json", text)
    assert [(host.name, host.gpus) for host in found.hosts] == [(name, 4) for name in names]
    assert found.skipped == ()
    inventory = load_workers_json(tmp_path / "workers.json", project=tmp_path)
    assert [(node.name, node.gpus) for node in inventory.workers] == [(name, 4) for name in names]


SSH_CONFIGS: dict[str, str | bytes] = {
    "bom and crlf": "\ufeffHost gpu1\r\n    HostName 10.9.0.1\r\n    User train\r\n    Port 2222\r\n",
    "match localnetwork": "Match localnetwork 192.168.0.0/16\n  User home\nHost gpu1\n  HostName 10.9.0.1\n",
    "comments": "Host gpu1 # my box\n  HostName 10.9.0.1 # lab\n  User train # me\n  Port 22 # std\n",
    "times": "Host *\n  ConnectTimeout 10s\n  ControlPersist 10m\nHost gpu1\n  HostName 10.9.0.1\n",
    "identity": "Host *\n  IdentityFile ~/.ssh/does_not_exist\nHost gpu1\n  HostName 10.9.0.1\n",
    "systemd": "Host .host machine/.host\n  ProxyUseFdpass yes\nHost unix/* vsock/*\n  ProxyCommand none\n"
    "Host gpu1\n  HostName 10.9.0.1\n",
    "tagged": "Match tagged vpn\n  User a\nMatch sessiontype shell\n  User b\n"
    "Host gpu1\n  HostName 10.9.0.1\n",
    "cp949": "Host gpu1\n  HostName 10.9.0.1\n# 한글 주석\n".encode("cp949"),
}


@pytest.mark.parametrize("case", SSH_CONFIGS)
def test_hosts_of_an_ssh_config_without_what_depends_on_more_than_a_name(tmp_path: Path, case: str) -> None:
    found = imported(tmp_path, "config", SSH_CONFIGS[case])
    assert [(host.name, host.address) for host in found.hosts] == [("gpu1", "10.9.0.1")]
    assert found.hosts[0].user in (None, "train"), "the user of a Match block is not this host's"
    assert [one.where for one in found.skipped] == (["host", "machine-.host"] if case == "systemd" else [])


def test_skipped_entries_are_listed_and_the_others_written(desk: Desk) -> None:
    (desk.folder / "config").write_text(str(SSH_CONFIGS["systemd"]), "utf-8")
    done = desk.run("init", "--from", "config", "--script", "train.py")
    assert done.returncode == 0, done.stderr
    assert "machine/.host" in done.stderr
    found = load_inventory(desk.folder / "configs/nodes.yaml")
    assert [node.name for node in found.workers] == ["gpu1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("data:\n\troot: data\t\t# both\n  generate: true\n", ":2: YAML: found character '\\t'"),
        ("training:\n  batch_size: 4\n  batch_size: 8\n", ":3: training.batch_size: is set twice"),
    ],
    ids=["tabs", "a key twice"],
)
def test_a_training_configuration_with_a_fault_names_its_line(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "train_config.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}{place}" in str(caught.value)


def test_no_and_yes_of_yaml_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "train_config.yaml"
    path.write_text("training:\n  mixed_precision: no\n  pin_memory: yes\n", "utf-8")
    settings = load(path)
    assert (settings.training.mixed_precision, settings.training.pin_memory) == ("no", True)
