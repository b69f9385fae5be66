"""W&B and TensorBoard with their real packages, offline: the files that a run writes for them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from tests.trainer.training_runs import Project
from trainer import experiment_trackers
from trainer.experiment_trackers import available_trackers
from trainer.settings import Settings, TensorBoard, Wandb

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def log_out_of_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))


def records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a W&B file: a header of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    offset, record = 7, b""
    while offset + 7 <= len(data):
        left_in_block = 32768 - offset % 32768
        if left_in_block < 7:
            offset += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", data, offset + 4)
        record += data[offset + 7 : offset + 7 + length]
        offset += 7 + length
        # A whole record, or the last part of one.
        if kind in (1, 4):
            yield record
            record = b""


def read_wandb_history(folder: Path) -> list[dict[str, str]]:
    """Return the history of the only run below ``folder``: JSON values by name."""
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = []
    for data in records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            rows.append(
                {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
            )
    return rows


def test_a_run_is_recorded_in_wandb_and_tensorboard(project: Project) -> None:
    ranks = project.finish(
        "tracked", 2, training__max_steps=3, training__eval_pairs=2, wandb__enabled="true",
        wandb__project="plans", tensorboard__enabled="true",
    )  # fmt: skip
    assert "W&B: not logged in, so this run is recorded offline; `wandb sync" in ranks[0].text
    losses = {record["step"]: record["loss"] for record in ranks[0].records_of_kind("step")}

    history = [row for row in read_wandb_history(project.folder / "logs") if "loss" in row]
    assert {int(row["_step"]): float(row["loss"]) for row in history} == pytest.approx(losses, rel=1e-4)
    assert {"lr", "samples_s", "step_time", "data_time", "comm_time"} <= history[0].keys()

    board = EventAccumulator(str(project.folder / "logs" / "tracked"))
    board.Reload()
    assert {"loss", "lr", "samples_s", "eval_loss", "eval_iou_room"} <= set(board.Tags()["scalars"])
    assert {scalar.step: scalar.value for scalar in board.Scalars("loss")} == pytest.approx(losses, rel=1e-4)
    # Only rank 0 has trackers.
    assert len(list(project.folder.glob("logs/wandb/offline-run-*"))) == 1


def test_a_tracker_that_fails_affects_neither_the_run_nor_the_other_tracker(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "no such mode")
    run = project.finish(
        "failing", 1, training__max_steps=1, wandb__enabled="true",
        tensorboard__enabled="true",
    )[0]  # fmt: skip
    assert "wandb could not be started, continuing without it: " in run.text
    board = EventAccumulator(str(project.folder / "logs" / "failing"))
    board.Reload()
    assert len(board.Scalars("loss")) == 1


def test_a_tracker_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(wandb=Wandb(enabled=True), tensorboard=TensorBoard(enabled=True))
    monkeypatch.setattr(experiment_trackers, "is_wandb_available", lambda: False)
    monkeypatch.setattr(experiment_trackers, "is_tensorboard_available", lambda: False)
    notes: list[str] = []
    assert available_trackers(settings, notes) == []
    assert notes == [
        f"{name}.enabled is true, but its package is not installed on this node: this run continues without "
        f'it; to use it in the next run: pip install "dtui[{name}]"'
        for name in ("wandb", "tensorboard")
    ]
    assert available_trackers(Settings(), notes) == []
    assert len(notes) == 2
