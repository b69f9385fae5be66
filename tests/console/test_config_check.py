"""What is wrong with a training configuration is said while it is typed, in the trainer's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import RunSettings, default_master, save_inventory
from fleet.inventory.model import Inventory
from fleet.shipped import shipped
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console
from transports.base import NoPrompts
from tui.operations.config_check import trainer_faults
from tui.operations.fleet_operations import FleetOperations


def test_the_shipped_configuration_is_right(tmp_path: Path):
    text = shipped("train_config.yaml").read_text("utf-8")
    assert trainer_faults(text, name="train_config.yaml", project=tmp_path) == []


def test_faults_are_those_of_the_trainer_with_their_lines(tmp_path: Path):
    text = "training:\n  bach_size: 4\n  max_steps: many\nmodel:\n  size: S/17\n# 설정\n"
    assert trainer_faults(text, name="c.yaml", project=tmp_path) == [
        "c.yaml:2: training.bach_size: unknown key; did you mean batch_size?",
        "c.yaml:3: training.max_steps: 'many' is not a whole number",
        "c.yaml:5: model.size: 'S/17' is none of tiny, S/16, S/8, B/16; did you mean S/16?",
    ]


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import nowhere", "print('x' * 3)\n1/0"])
def test_a_trainer_that_cannot_be_asked_finds_nothing(program: str, tmp_path: Path):
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "__init__.py").write_text("", "utf-8")
    (tmp_path / "trainer" / "settings_file.py").write_text(program, "utf-8")
    assert trainer_faults("training: 5\n", name="c.yaml", project=tmp_path) == []


def test_another_program_is_not_asked(tmp_path: Path):
    program = RunSettings(module="other", config="c.yaml")
    path = tmp_path / "nodes.yaml"
    save_inventory(Inventory(project=tmp_path, master=default_master(tmp_path), run=program), path)
    operations = FleetOperations(path, project=tmp_path, prompts=NoPrompts())
    assert operations.check_config("nonsense: [") == []


async def test_it_is_said_while_typing_and_saved_only_when_right(tmp_path: Path):
    path = tmp_path / "train_config.yaml"
    path.write_text("training:\n  batch_size: 4\n", "utf-8")
    app = console("nodes_busy", "config", operations=Recorded(cards(), folder=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f3", "enter", "down", "right", "right", "right", "right", "delete")
        await until(pilot, lambda: "bach_size" in text_of(app) and "unknown key" in text_of(app))
        await pilot.press("ctrl+s")
        await settled(pilot)
        assert "batch_size" in path.read_text("utf-8")
        await pilot.press("t", "end", "0", "ctrl+s")
        await until(pilot, lambda: path.read_text("utf-8") == "training:\n  batch_size: 40\n")
        # Saving does not wait for the pause in typing: what is wrong is found then.
        await pilot.press(*["left"] * 12, "delete", "ctrl+s")
        await settled(pilot)
        assert "batch_size: 40" in path.read_text("utf-8")
