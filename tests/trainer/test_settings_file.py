from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainer.training_runs import ROOT
from trainer.errors import ConfigError
from trainer.options import options_table
from trainer.settings import Settings
from trainer.settings_file import from_dict, load

OLD_GUIDE = """\
training:
  batch_size: 8
  num_workers: 4
  mixed_precision: "fp16"
  gradient_accumulation_steps: 2
  save_every: 250
  max_checkpoints: 10
  pin_memory: true
  persistent_workers: true
wandb:
  enabled: true
  project: "floorplan-distributed"
accelerate_config:
  timeout: 1800  # 30분
"""


def write_config(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_of_the_old_guide_is_accepted(tmp_path: Path) -> None:
    settings = load(write_config(tmp_path, OLD_GUIDE))
    assert settings.training.batch_size == 8
    assert settings.training.mixed_precision == "fp16"
    assert settings.training.max_checkpoints == 10
    assert settings.wandb.project == "floorplan-distributed"
    assert settings.accelerate_config.timeout == 1800


def test_the_shipped_file_is_valid() -> None:
    assert load(ROOT / "configs/train_config.yaml").model.size == "tiny"


def test_all_faults_are_reported_at_once_with_line_and_key(tmp_path: Path) -> None:
    path = write_config(
        tmp_path,
        "training:\n  batch_sise: 4\n  max_steps: many\n  learning_rate: -1\n  mixed_precision: fp17\n"
        "  save_every: [1, 2]\n  save_every: 3\nmodle:\n  size: tiny\nbatch_size: 3\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(path, ["data.rot=x", "nonsense"])
    lines = str(caught.value).splitlines()
    assert f"{path}:2: training.batch_sise: unknown key; did you mean batch_size?" in lines
    assert f"{path}:3: training.max_steps: 'many' is not a whole number" in lines
    assert f"{path}:4: training.learning_rate: -1.0 is below 0" in lines
    assert any(line.startswith(f"{path}:5: training.mixed_precision: 'fp17' is none of") for line in lines)
    assert f"{path}:6: training.save_every: expected one value, not a list or a group" in lines
    assert f"{path}:7: training.save_every: is set twice" in lines
    assert f"{path}:8: modle: unknown key; did you mean model?" in lines
    assert f"{path}:10: batch_size: unknown key; did you mean training.batch_size?" in lines
    assert "--set data.rot=x: data.rot: unknown key; did you mean root?" in lines
    assert "--set nonsense: write it as section.key=value" in lines


def test_values_that_yaml_reads_as_another_type_get_the_type_of_the_option(tmp_path: Path) -> None:
    path = write_config(
        tmp_path, "training:\n  mixed_precision: no\n  learning_rate: 3e-4\n  pin_memory: off\n"
    )
    training = load(path).training
    assert (training.mixed_precision, training.learning_rate, training.pin_memory) == ("no", 3e-4, False)


@pytest.mark.parametrize("text", ["", "training:\n", "# nothing\n"])
def test_an_empty_file_gives_the_defaults(tmp_path: Path, text: str) -> None:
    assert load(write_config(tmp_path, text)) == Settings()


def test_errors_for_invalid_yaml_and_a_missing_file_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.yaml:2: YAML"):
        load(write_config(tmp_path, "training:\n  a: b: c\n"))
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path / "missing.yaml")


def test_settings_of_a_newer_version_are_read_without_their_unknown_options() -> None:
    sections = Settings().as_dict()
    sections["training"]["max_steps"] = 7
    sections["training"]["of_the_future"] = 1
    assert from_dict(sections).training.max_steps == 7


def test_an_invalid_file_ends_the_trainer_with_status_2_before_torch_is_imported(tmp_path: Path) -> None:
    path = write_config(tmp_path, "training:\n  batch_sise: 4\n  max_steps: 0\n")
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "trainer", "--config", path],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "train.yaml:2: training.batch_sise" in ended.stderr
    assert "train.yaml:3: training.max_steps: 0 is below 1" in ended.stderr
    assert "| torch" not in ended.stderr


def test_the_documentation_lists_every_option() -> None:
    assert options_table() in (ROOT / "docs/trainer.md").read_text(encoding="utf-8")
