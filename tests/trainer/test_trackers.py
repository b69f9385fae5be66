"""W&B and TensorBoard as they come from the registry, offline: what a run leaves for them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2

from tests.trainer.ranks import Project
from trainer import trackers
from trainer.settings import Settings, TensorBoard, Wandb

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))


def records(data: bytes) -> Iterator[bytes]:
    """Yield what W&B's file holds: after 7 bytes, LevelDB's log format in blocks of 32 KiB."""
    at, piece = 7, b""
    while at + 7 <= len(data):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        piece += data[at + 7 : at + 7 + length]
        at += 7 + length
        # A whole record, or the last piece of one.
        if kind in (1, 4):
            yield piece
            piece = b""


def of_wandb(folder: Path) -> list[dict[str, str]]:
    """Return the history of the one run below ``folder`` as JSON texts by name."""
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


def test_a_run_is_in_wandb_and_tensorboard(project: Project) -> None:
    ranks = project.finish(
        "tracked", 2, training__max_steps=3, training__eval_pairs=2, wandb__enabled="true",
        wandb__project="plans", tensorboard__enabled="true",
    )  # fmt: skip
    assert "W&B: not logged in, so this run is kept offline; `wandb sync" in ranks[0].text
    told = {record["step"]: record["loss"] for record in ranks[0].of_kind("step")}

    history = [row for row in of_wandb(project.folder / "logs") if "loss" in row]
    assert {int(row["_step"]): float(row["loss"]) for row in history} == pytest.approx(told, rel=1e-4)
    assert {"lr", "samples_s", "step_time", "data_time", "comm_time"} <= history[0].keys()

    board = EventAccumulator(str(project.folder / "logs" / "tracked"))
    board.Reload()
    assert {"loss", "lr", "samples_s", "eval_loss", "eval_iou_room"} <= set(board.Tags()["scalars"])
    assert {one.step: one.value for one in board.Scalars("loss")} == pytest.approx(told, rel=1e-4)
    # The other rank leaves nothing of its own.
    assert len(list(project.folder.glob("logs/wandb/offline-run-*"))) == 1


def test_a_tracker_that_fails_costs_nobody_else_anything(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "no such mode")
    run = project.finish(
        "half", 1, training__max_steps=1, wandb__enabled="true",
        tensorboard__enabled="true",
    )[0]  # fmt: skip
    assert "wandb could not be started, going on without: " in run.text
    board = EventAccumulator(str(project.folder / "logs" / "half"))
    board.Reload()
    assert len(board.Scalars("loss")) == 1


def test_a_package_that_is_missing_is_told_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(wandb=Wandb(enabled=True), tensorboard=TensorBoard(enabled=True))
    monkeypatch.setattr(trackers, "is_wandb_available", lambda: False)
    monkeypatch.setattr(trackers, "is_tensorboard_available", lambda: False)
    notes: list[str] = []
    assert trackers.available(settings, notes) == []
    assert [note.rpartition(": ")[2] for note in notes] == [
        'pip install "dtui[wandb]"',
        'pip install "dtui[tensorboard]"',
    ]
    assert trackers.available(Settings(), notes) == []
    assert len(notes) == 2
