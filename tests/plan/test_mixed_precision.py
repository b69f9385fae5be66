"""The trainer's mixed precision, as YAML writes it; other programs' files are not read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import Inventory, RunSettings, default_master
from fleet.plan.mixed_precision import mixed_precision_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training: {mixed_precision: no}\n", "no"),
        ("training: {mixed_precision: 'no'}\n", "no"),
        ("training: {mixed_precision: off}\n", "no"),
        ("training: {mixed_precision: bf16}\n", "bf16"),
        ("training: {mixed_precision: yes}\n", "True"),
        ("training: {}\n", "no"),
        ("training: [\n", "no"),
        ("- 1\n", "no"),
    ],
)
def test_yamls_no_is_understood(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "train.yaml").write_text(text)
    run = RunSettings(config="train.yaml")
    inventory = Inventory(project=tmp_path, master=default_master(tmp_path), run=run)
    assert mixed_precision_of(inventory) == found


def test_another_programs_file_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("training: {mixed_precision: fp16}\n")
    run = RunSettings(module=None, script="train.py", config="train.yaml")
    inventory = Inventory(project=tmp_path, master=default_master(tmp_path), run=run)
    assert mixed_precision_of(inventory) == "no"
