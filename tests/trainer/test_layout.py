"""The trainer as a part of a project: its files are deployed to the nodes."""

from __future__ import annotations

from fleet.deploy.ignore import IgnoreRules
from tests.trainer.training_runs import ROOT


def test_ignoring_data_and_checkpoints_ignores_no_module_of_the_trainer() -> None:
    """A pattern without a slash matches at any depth, so no package may be called ``data``."""
    rules = IgnoreRules(["data", "data/", "datasets/", "models/", "wandb/", "logs/", "checkpoints/"])
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "trainer").rglob("*.py")]
    assert [path for path in modules if rules.excludes_file(path)] == []


def test_modules_that_commands_and_other_machines_name_stay_in_place() -> None:
    """``python -m`` in docs and scripts, ``dtui sample``, and the agents that read a configuration."""
    names = ("__main__", "errors", "evaluate", "export", "options", "sample", "sample_data", "settings_file")
    assert [name for name in names if not (ROOT / "trainer" / f"{name}.py").is_file()] == []
