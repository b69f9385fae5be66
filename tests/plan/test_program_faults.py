"""A program that no rank could start is a fault before anything is sent, for the console too."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import Inventory, RunSettings, default_master
from fleet.plan.program_faults import program_faults


@pytest.mark.parametrize(
    ("run", "word", "remedy"),
    [
        ({"script": "train.ipynb"}, "is a notebook", "run: {script: train.py}"),
        ({"script": "trian.py"}, "has no file trian.py", "name a file of the project"),
        ({"script": "train.py", "workdir": "small"}, "has no folder small", "name a folder of the project"),
    ],
)
def test_what_can_not_start_is_named_with_the_right_form(
    tmp_path: Path, run: dict[str, str], word: str, remedy: str
) -> None:
    for name in ("train.py", "train.ipynb"):
        (tmp_path / name).touch()
    settings = RunSettings(module=None, **run)
    inventory = Inventory(project=tmp_path, master=default_master(tmp_path), run=settings)
    (fault,) = program_faults(inventory)
    assert word in fault.what
    assert remedy in fault.remedy


def test_a_script_of_the_project_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    settings = RunSettings(module=None, script="train.py")
    assert not list(
        program_faults(Inventory(project=tmp_path, master=default_master(tmp_path), run=settings))
    )
