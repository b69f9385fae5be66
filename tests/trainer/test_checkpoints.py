from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.checkpoints import CheckpointFolder, load_weights, newest_checkpoint, open_checkpoint
from trainer.errors import CheckpointError


def state(step: int, saved_at: float = 0.0) -> dict[str, Any]:
    return {"step": step, "saved_at": saved_at or step}


def save(folder: CheckpointFolder, step: int) -> Path:
    return folder.save({"model": {"w": torch.full((3,), float(step))}}, state(step))


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_newest_stay_and_the_best_stays_longer(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    save(folder, 1)
    folder.mark_best(1, 0.5)
    for step in (2, 3, 4):
        save(folder, step)
    assert names(tmp_path) == ["best.json", "step-00000001", "step-00000003", "step-00000004"]
    folder.mark_best(4, 0.4)
    assert names(tmp_path) == ["best.json", "step-00000003", "step-00000004"]
    assert folder.all()[-1].tensors("model")["w"].tolist() == [4.0] * 3


def test_a_save_that_is_cut_leaves_the_old_ones_and_no_trace(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=1)
    save(folder, 1)
    with pytest.raises(AttributeError):
        folder.save({"model": {"w": torch.zeros(1)}, "ema": {"w": "no tensor"}}, state(2))  # type: ignore[dict-item]
    assert [checkpoint.step for checkpoint in folder.all()] == [1]
    save(folder, 3)
    assert names(tmp_path) == ["step-00000003"]


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    save(folder, 5)
    folder.save({"model": {"w": torch.zeros(2)}}, state(5))
    assert folder.all()[0].tensors("model")["w"].tolist() == [0.0, 0.0]
    assert names(tmp_path) == ["step-00000005"]


def test_a_checkpoint_is_found_by_its_folder_its_run_or_all_runs(tmp_path: Path) -> None:
    late = save(CheckpointFolder(tmp_path / "b", 3), 9)
    CheckpointFolder(tmp_path / "a", 3).save({}, state(20, saved_at=3.0))
    (tmp_path / "c").mkdir()
    for path in (late, tmp_path / "b", tmp_path):
        assert open_checkpoint(path).step == 9
    assert newest_checkpoint(tmp_path / "missing") is None
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        open_checkpoint(tmp_path / "c")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = save(CheckpointFolder(tmp_path, 3), 1)
    (path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_checkpoint(path).tensors("model")


def test_weights_of_another_version_are_refused_with_what_to_do() -> None:
    network = torch.nn.Linear(2, 2, bias=False)
    weights = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    with pytest.raises(CheckpointError, match=r"(?s)bias.*another version.*--resume none"):
        load_weights(network, weights)
