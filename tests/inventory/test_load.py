"""nodes.yaml: what it gives when it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import Inventory, Node, RunSettings, load_inventory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "floor plan"
    (folder / "configs").mkdir(parents=True)
    return folder


def load(project: Path, text: str) -> Inventory:
    path = project / "configs" / "nodes.yaml"
    path.write_text(text, encoding="utf-8")
    return load_inventory(path)


def test_a_name_and_an_address_are_enough(project: Path) -> None:
    inventory = load(project, "nodes:\n  - name: gpu1\n    address: 192.168.1.101\n")
    assert inventory.project == project
    assert inventory.master == Node(name="master", transport="local", project=str(project))
    assert inventory.workers == (Node(name="gpu1", address="192.168.1.101", project="~/dtui/floor-plan"),)
    assert inventory.run == RunSettings()
    assert inventory.run.program_config == "configs/train_config.yaml"
    assert [node.name for node in inventory.nodes] == ["master", "gpu1"]


def test_production_is_said_in_one_word(project: Path) -> None:
    assert load(project, "production: true\nnodes: []\n").production
    assert not load(project, "production: false\nnodes: []\n").production
    assert not load(project, "nodes: []\n").production


def test_either_name_or_address_stands_for_the_other(project: Path) -> None:
    inventory = load(project, "nodes:\n  - address: fe80::1\n  - name: gpu[1-2].lab.example\n")
    assert [(node.name, node.address) for node in inventory.workers] == [
        ("fe80--1", "fe80::1"),
        ("gpu1.lab.example", "gpu1.lab.example"),
        ("gpu2.lab.example", "gpu2.lab.example"),
    ]


def test_sets_go_pairwise(project: Path) -> None:
    inventory = load(
        project, "nodes: [{name: 'gpu[08-10]', address: '192.168.1.[101,103,102]', gpus: [1, 0]}]"
    )
    assert [(node.name, node.address) for node in inventory.workers] == [
        ("gpu08", "192.168.1.101"),
        ("gpu09", "192.168.1.103"),
        ("gpu10", "192.168.1.102"),
    ]
    assert {node.gpus for node in inventory.workers} == {(1, 0)}


def test_the_nearest_value_wins_and_env_tags_and_winrm_are_merged(project: Path) -> None:
    inventory = load(
        project,
        """
defaults: {user: kim, gpus: 4, env: {A: "0", B: "0"}, tags: [all-gpus], winrm: {scheme: https}}
groups:
  lab:
    user: lee
    env: {B: "1"}
    winrm: {auth: ntlm}
    nodes:
      - {name: gpu1, address: 10.0.0.1, env: {C: on}, tags: [new], gpus: all}
      - {name: gpu2, address: 10.0.0.2, user: park}
nodes:
  - {name: desk, address: 10.0.0.3}
""",
    )
    gpu1, gpu2, desk = inventory.workers
    assert (gpu1.user, gpu1.gpus, dict(gpu1.env)) == ("lee", None, {"A": "0", "B": "1", "C": "on"})
    assert gpu1.tags == ("lab", "all-gpus", "new")
    assert dict(gpu1.options) == {"scheme": "https", "auth": "ntlm"}
    assert (gpu2.user, gpu2.gpus) == ("park", 4)
    assert (desk.user, desk.tags, dict(desk.options)) == ("kim", ("all-gpus",), {"scheme": "https"})
    assert [node.name for node in inventory.select("@lab,!gpu2")] == ["gpu1"]


@pytest.mark.parametrize(
    ("written", "size"),
    [("512MiB", 512 << 20), ("2GiB", 2 << 30), ("2 GiB", 2 << 30), ("'1TiB'", 1 << 40), ("1536KiB", 3 << 19)],
)
def test_the_limit_of_a_rank_s_log_is_read_in_binary_units(project: Path, written: str, size: int) -> None:
    assert load(project, f"run: {{log_limit: {written}}}\nnodes: []\n").run.log_limit == size
    assert load(project, "nodes: []\n").run.log_limit is None


def test_ranks_follow_the_order_of_the_file(project: Path) -> None:
    inventory = load(
        project,
        "nodes: [{name: a}]\ngroups: {g: {nodes: [{name: b}]}, h: {nodes: [{name: c}]}}\n",
    )
    assert [node.name for node in inventory.workers] == ["a", "b", "c"]


def test_texts_are_taken_as_written(project: Path) -> None:
    inventory = load(
        project,
        "run: {script: 'scripts\\train.py', args: [--lr, 1e-4, no]}\n"
        "nodes:\n  - name: 007\n    address: 10.0.0.1\n  - name: no\n    address: 10.0.0.2\n",
    )
    assert [node.name for node in inventory.workers] == ["007", "no"]
    assert inventory.run.args == ("--lr", "1e-4", "no")
    assert inventory.run.script == "scripts/train.py"
    assert inventory.run.module is None
    assert inventory.run.program_config is None


def test_an_interpreter_means_an_existing_environment_and_uv_drops_an_inherited_one(project: Path) -> None:
    inventory = load(
        project,
        r"""
defaults: {interpreter: C:\Python311\python.exe}
nodes:
  - name: a
  - {name: b, environment: uv}
""",
    )
    a, b = inventory.workers
    assert (a.environment, a.interpreter) == ("existing", r"C:\Python311\python.exe")
    assert (b.environment, b.interpreter) == ("uv", None)


def test_paths_on_the_master_are_seen_from_the_file(project: Path, tmp_path: Path) -> None:
    inventory = load(
        project, "project: ..\nnodes:\n  - {name: a, identity: ../keys/id, winrm: {ca: ca.pem}}\n"
    )
    assert inventory.project == project
    assert inventory.workers[0].identity == project / "keys" / "id"
    assert dict(inventory.workers[0].options) == {"ca": str(project / "configs" / "ca.pem")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_windows_editors_are_read(project: Path, encoding: str) -> None:
    path = project / "configs" / "nodes.yaml"
    path.write_bytes(
        "# 노드 목록\r\nnodes:\r\n  - name: 연구실-gpu1\r\n    address: 10.0.0.1\r\n".encode(encoding)
    )
    assert load_inventory(path).workers[0].name == "연구실-gpu1"


def test_blocks_with_nothing_but_comments_are_empty(project: Path) -> None:
    inventory = load(project, "run:\n  # port: 1\ndefaults:\ngroups:\nnodes:\n  # - name: x\n")
    assert inventory.workers == ()


def test_the_example_in_configs_loads() -> None:
    example = Path(__file__).parents[2] / "configs" / "nodes.yaml"
    inventory = load_inventory(example)
    assert inventory.project == example.parents[1]
    assert inventory.run.config == "configs/train_config.yaml"
