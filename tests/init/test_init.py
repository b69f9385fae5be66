"""``dtui init``, asked and unasked."""

from __future__ import annotations

import pytest

from fleet.inventory import load_inventory
from fleet.inventory.model import DataSettings
from fleet.shipped import shipped
from tests.init.conftest import Desk

CONFIG = "Host gpu1\n  HostName 192.168.1.101\n  User kim\nHost gpu2\n  HostName 192.168.1.102\n"


def test_named_workers_make_both_files_without_a_question(desk: Desk) -> None:
    (desk.folder / "trainer").mkdir()
    (desk.folder / "trainer" / "__main__.py").touch()
    done = desk.run("init", "--workers", "192.168.1.[101-103]", "--user", "kim", "--transport", "ssh")
    assert done.returncode == 0, done.stderr
    config = desk.folder / "configs" / "train_config.yaml"
    assert done.stdout.split() == [str(desk.folder / "configs" / "nodes.yaml"), str(config)]
    assert config.read_bytes() == shipped("train_config.yaml").read_bytes()
    inventory = load_inventory(desk.folder / "configs" / "nodes.yaml")
    assert [node.address for node in inventory.workers] == [f"192.168.1.{last}" for last in (101, 102, 103)]
    assert {(node.user, node.transport) for node in inventory.workers} == {("kim", "ssh")}
    assert inventory.project == desk.folder
    assert inventory.run.module == "trainer"
    assert desk.run("nodes", "--offline").returncode == 0


def test_a_person_chooses_among_the_hosts_that_the_machine_knows(desk: Desk) -> None:
    (desk.home / ".ssh" / "config").write_text(CONFIG, "utf-8")
    (desk.home / ".ssh" / "known_hosts").write_text("desk ssh-ed25519 AAAA\n", "utf-8")
    (desk.folder / "train.py").touch()
    done = desk.talk("9\n1,desk\n192.168.1.104\nlee\n", "init")
    assert done.returncode == 0, done.stderr
    assert "there are hosts 1 to 3" in done.stderr
    inventory = load_inventory(desk.folder / "configs" / "nodes.yaml")
    told = [(node.name, node.address, node.user) for node in inventory.workers]
    assert told == [
        ("gpu1", "192.168.1.101", "kim"),
        ("desk", "desk", "lee"),
        ("192.168.1.104", "192.168.1.104", "lee"),
    ]
    assert inventory.run.script == "train.py", "found in the folder, so nobody was asked"
    assert not (desk.folder / "configs" / "train_config.yaml").exists(), "that is the trainer's"


def test_what_is_there_is_replaced_only_after_a_yes(desk: Desk) -> None:
    desk.run("init", "--workers", "192.168.1.101")
    path = desk.folder / "configs" / "nodes.yaml"
    path.write_text(path.read_text("utf-8") + "# mine\n", "utf-8")
    (desk.folder / "configs" / "train_config.yaml").write_text("training: {}\n", "utf-8")
    for refused in (desk.run("init", "--workers", "192.168.1.102"), desk.talk("\n", "init")):
        assert refused.returncode == 2
        assert "--force" in refused.stderr
        assert path.read_text("utf-8").endswith("# mine\n")
    agreed = desk.talk("yes\n192.168.1.103\n\n\n", "init")
    assert agreed.returncode == 0, agreed.stderr
    assert "192.168.1.103" in path.read_text("utf-8")
    forced = desk.run("init", "--workers", "192.168.1.102", "--force")
    assert forced.returncode == 0
    assert "192.168.1.102" in path.read_text("utf-8")
    assert (desk.folder / "configs" / "train_config.yaml").read_text("utf-8") == "training: {}\n"
    assert "exists already and is not changed" in forced.stderr


def test_hosts_of_the_ssh_files_by_name_and_a_wrong_name_writes_nothing(desk: Desk) -> None:
    (desk.home / ".ssh" / "config").write_text(CONFIG, "utf-8")
    wrong = desk.run("init", "--from-ssh", "gpu1,gpu7")
    assert wrong.returncode == 2
    assert "gpu7" in wrong.stderr
    assert not (desk.folder / "configs").exists()
    assert desk.run("init", "--from-ssh", "all", "--script", "train.py").returncode == 0
    inventory = load_inventory(desk.folder / "configs" / "nodes.yaml")
    assert [node.name for node in inventory.workers] == ["gpu1", "gpu2"]


def test_without_a_terminal_nobody_is_asked(desk: Desk) -> None:
    refused = desk.run("init")
    assert refused.returncode == 2
    assert "--workers" in refused.stderr


def test_an_ended_input_writes_nothing(desk: Desk) -> None:
    ended = desk.talk("\x04", "init")
    assert ended.returncode == 2
    assert not (desk.folder / "configs").exists()


def test_an_inventory_of_another_tool_is_imported(desk: Desk) -> None:
    hosts = desk.folder / "hosts.ini"
    hosts.write_text(
        "[gpu]\ngpu[1:2] ansible_user=train ansible_password=xyzzy\nodd ansible_connection=docker\n"
    )
    done = desk.run("init", "--from", str(hosts), "--script", "train.py")
    assert done.returncode == 0, done.stderr
    assert "ansible_password is not imported" in done.stderr
    assert "docker" in done.stderr
    found = load_inventory(desk.folder / "configs" / "nodes.yaml")
    assert [(node.name, node.user, node.tags) for node in found.workers] == [
        ("gpu1", "train", ("gpu",)), ("gpu2", "train", ("gpu",)),
    ]  # fmt: skip
    assert "xyzzy" not in done.stdout + done.stderr + (desk.folder / "configs" / "nodes.yaml").read_text()


def test_an_accelerate_configuration_becomes_that_of_the_run(desk: Desk) -> None:
    config = desk.folder / "default_config.yaml"
    config.write_text(
        "compute_environment: LOCAL_MACHINE\nmain_process_ip: 192.168.1.100\nmain_process_port: 29400\n"
        "num_machines: 2\ndistributed_type: FSDP\n"
    )
    done = desk.run("init", "--from", str(config), "--script", "train.py")
    assert done.returncode == 0, done.stderr
    assert "2 machines" in done.stderr
    found = load_inventory(desk.folder / "configs" / "nodes.yaml")
    assert (found.run.accelerate, found.run.method, found.run.port) == (
        "configs/accelerate.yaml",
        "accelerate",
        29400,
    )
    assert found.master.address == "192.168.1.100"
    assert "FSDP" in (desk.folder / "configs" / "accelerate.yaml").read_text()


def test_a_file_of_another_tool_given_as_the_inventory_is_named(desk: Desk) -> None:
    hosts = desk.folder / "hosts.ini"
    hosts.write_text("[gpu]\ngpu1 ansible_host=10.0.0.1\n")
    refused = desk.run("nodes", "--inventory", str(hosts))
    assert refused.returncode == 2
    assert "Ansible inventory" in refused.stderr
    assert f"dtui init --from {hosts}" in refused.stderr


def test_what_a_project_has_is_found_and_commented(desk: Desk) -> None:
    for name, text in {
        "train.py": "import torch\n",
        "scripts/finetune.py": "from transformers import Trainer\n",
        "scripts/plot_training.py": "import matplotlib\n",
        "configs/fsdp.yaml": "compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\n",
        "configs/model.yaml": "layers: 3\n",
        "data/a.bin": "abc",
    }.items():
        (desk.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / name).write_text(text, "utf-8")
    done = desk.run("init", "--workers", "192.168.1.101")
    assert done.returncode == 0, done.stderr
    path = desk.folder / "configs/nodes.yaml"
    found, text = load_inventory(path), path.read_text("utf-8")
    assert (found.run.script, found.run.accelerate) == ("train.py", "configs/fsdp.yaml")
    assert found.data == DataSettings(root="data", sync="once")
    assert "# Also found in this project: script: scripts/finetune.py\n" in text
    assert "`on: {gpu1: /mnt/data}`" in text
    for said in ("train.py", "scripts/finetune.py", "configs/fsdp.yaml", "data"):
        assert said in done.stderr
    assert "plot" not in text
    assert desk.run("nodes", "--offline").returncode == 0


@pytest.mark.parametrize("layout", ["", "src/"])
def test_an_entry_point_is_the_program_if_the_project_has_no_script(desk: Desk, layout: str) -> None:
    for name, text in {
        "pyproject.toml": '[project]\nname = "net"\n[project.scripts]\nnet-train = "net.cli.train:main"\n',
        f"{layout}net/cli/train.py": 'def main(): ...\n\nif __name__ == "__main__":\n    main()\n',
        f"{layout}net/data/__init__.py": "",
        "data/__init__.py": "",
    }.items():
        (desk.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / name).write_text(text, "utf-8")
    done = desk.run("init", "--workers", "192.168.1.101")
    assert done.returncode == 0, done.stderr
    found = load_inventory(desk.folder / "configs/nodes.yaml")
    assert (found.run.module, found.data) == ("net.cli.train", None)
    assert "no folder `trainer`" not in done.stderr


def test_a_project_that_cannot_be_read_is_no_error(desk: Desk) -> None:
    (desk.folder / "pyproject.toml").write_bytes(b"\xff[project\n")
    (desk.folder / "scripts").write_text("a file", "utf-8")
    (desk.folder / "train_loop.py").symlink_to("train_loop.py")
    (desk.folder / "configs").mkdir()
    (desk.folder / "configs/bad.yaml").write_text("compute_environment: [\n", "utf-8")
    assert desk.run("init", "--workers", "192.168.1.101", "--script", "a.py").returncode == 0
    assert load_inventory(desk.folder / "configs/nodes.yaml").run.script == "a.py"
