from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.checkpoint.storage import CheckpointStore, load_weights, newest_checkpoint, open_checkpoint
from trainer.errors import CheckpointError


def state(step: int, saved_at: float = 0.0) -> dict[str, Any]:
    return {"step": step, "saved_at": saved_at or step}


def save(store: CheckpointStore, step: int) -> Path:
    return store.save({"model": {"w": torch.full((3,), float(step))}}, state(step))


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_newest_checkpoints_and_the_best_one_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=2)
    save(store, 1)
    store.mark_best(1, 0.5)
    for step in (2, 3, 4):
        save(store, step)
    assert names(tmp_path) == ["best.json", "step-00000001", "step-00000003", "step-00000004"]
    store.mark_best(4, 0.4)
    assert names(tmp_path) == ["best.json", "step-00000003", "step-00000004"]
    assert store.all()[-1].tensors("model")["w"].tolist() == [4.0] * 3


def test_a_failed_save_keeps_the_old_checkpoints_and_the_next_save_cleans_up(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=1)
    save(store, 1)
    with pytest.raises(AttributeError):
        store.save({"model": {"w": torch.zeros(1)}, "ema": {"w": "no tensor"}}, state(2))  # type: ignore[dict-item]
    assert [checkpoint.step for checkpoint in store.all()] == [1]
    save(store, 3)
    assert names(tmp_path) == ["step-00000003"]


def test_saving_the_same_step_again_replaces_its_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, keep=3)
    save(store, 5)
    store.save({"model": {"w": torch.zeros(2)}}, state(5))
    assert store.all()[0].tensors("model")["w"].tolist() == [0.0, 0.0]
    assert names(tmp_path) == ["step-00000005"]


def test_a_checkpoint_is_found_by_its_folder_its_run_or_the_folder_of_all_runs(tmp_path: Path) -> None:
    newest = save(CheckpointStore(tmp_path / "b", 3), 9)
    CheckpointStore(tmp_path / "a", 3).save({}, state(20, saved_at=3.0))
    (tmp_path / "c").mkdir()
    for path in (newest, tmp_path / "b", tmp_path):
        assert open_checkpoint(path).step == 9
    assert newest_checkpoint(tmp_path / "missing") is None
    with pytest.raises(CheckpointError, match="no checkpoint found"):
        open_checkpoint(tmp_path / "c")


def test_the_error_for_a_damaged_file_names_it(tmp_path: Path) -> None:
    path = save(CheckpointStore(tmp_path, 3), 1)
    (path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_checkpoint(path).tensors("model")


def test_weights_of_another_version_are_rejected_with_a_remedy() -> None:
    network = torch.nn.Linear(2, 2, bias=False)
    weights = {"weight": torch.ones(2, 2), "bias": torch.ones(2)}
    with pytest.raises(CheckpointError, match=r"(?s)bias.*another version.*--resume none"):
        load_weights(network, weights)
