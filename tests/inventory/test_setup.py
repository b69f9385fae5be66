"""`run.setup`, `run.workdir` and references in `env`, as they are read and written."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import InventoryError, parse_inventory, save_inventory
from fleet.inventory.load import load_inventory
from fleet.inventory.model import SetupCommand

TEXT = """
run:
  workdir: ./examples//small/
  wheelhouse: ~/wheels
  setup:
    - python tools/build.py --name "a b" 'c"d'
    - [cmd, /c, 'D:\\a b\\run.bat']
    - {run: make all, inputs: [csrc, Makefile]}
    - {run: [make, all], inputs: []}
nodes: []
"""


def test_commands_are_texts_lists_and_blocks(tmp_path: Path) -> None:
    found = parse_inventory(TEXT, tmp_path / "nodes.yaml").run
    assert found.workdir == "examples/small"
    assert found.setup == (
        SetupCommand(run=("python", "tools/build.py", "--name", "a b", 'c"d')),
        SetupCommand(run=("cmd", "/c", "D:\\a b\\run.bat")),
        SetupCommand(run=("make", "all"), inputs=("csrc", "Makefile")),
        SetupCommand(run=("make", "all"), inputs=()),
    )


def test_what_is_read_is_written_as_it_was(tmp_path: Path) -> None:
    inventory = parse_inventory(TEXT, tmp_path / "nodes.yaml")
    save_inventory(inventory, tmp_path / "nodes.yaml")
    assert load_inventory(tmp_path / "nodes.yaml") == inventory


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("setup: make", "must be a list of commands"),
        ("setup: [make && make install]", "'&&' needs a shell"),
        ("setup: ['make > log']", "'>' needs a shell"),
        ('setup: ["make \'a"]', "cannot be cut into words"),
        ("setup: [{run: make, when: always}]", "must have `run`"),
        ("setup: [{inputs: [a]}]", "must have `run`"),
        ("setup: [{run: make, inputs: [../a]}]", "is not below the project folder"),
        ("setup: [[]]", "has no program to run"),
        ("setup: ['']", "is empty"),
        ("setup: [wandb login --token hunter2-4f9c]", "a secret must not be in this file"),
        ("setup: [[wandb, login, --token, hunter2-4f9c]]", "a secret must not be in this file"),
        ("workdir: ../other", "is not below the project folder"),
        ("workdir: /other", "is not below the project folder"),
        ("env: {A: '${B:-x}'}", "'${B:-x}' is not a reference"),
        ("env: {A: $(date)}", "'$(date)' is not a reference"),
    ],
)
def test_what_a_node_could_not_use_is_a_fault_with_its_place(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(InventoryError) as caught:
        parse_inventory(f"run:\n  {line}\nnodes: []\n", tmp_path / "nodes.yaml")
    (fault,) = caught.value.faults
    assert reason in fault.what
    assert fault.line == 2
    assert "hunter2" not in str(fault)


def test_an_operator_within_quotes_is_an_ordinary_word(tmp_path: Path) -> None:
    text = """run: {setup: ["python -c 'a; b > c && d'"]}\nnodes: []\n"""
    (command,) = parse_inventory(text, tmp_path / "nodes.yaml").run.setup
    assert command.run == ("python", "-c", "a; b > c && d")


def test_numbers_are_no_secrets(tmp_path: Path) -> None:
    text = "run: {env: {MAX_TOKENS: 128, HF_TOKEN: 5, NUM_KEYS: 3}}\nnodes: []\n"
    assert dict(parse_inventory(text, tmp_path / "nodes.yaml").run.env)["MAX_TOKENS"] == "128"
