"""What ends a run before it trains."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
import torch

from tests.trainer.ranks import Project
from trainer import trackers
from trainer.errors import NotDistributedError
from trainer.hints import hint
from trainer.journal import Journal
from trainer.place import place_from
from trainer.settings import Settings, Wandb
from trainer.world import await_master

pytestmark = pytest.mark.torch


def test_a_rank_says_for_whom_it_waits_and_gives_up_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        place = place_from(
            {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}, 0.0
        )
        journal = Journal(tmp_path, "r", 1)
        times = iter(range(0, 1000, 4))
        with pytest.raises(
            NotDistributedError, match=rf"rank 0 did not answer at 127\.0\.0\.1:{port} for 30 s"
        ):
            await_master(place, 30, journal, clock=lambda: float(next(times)), sleep=lambda seconds: None)
        journal.close(1, "failed")
    assert f"waiting for rank 0 at 127.0.0.1:{port} since 12 s" in capsys.readouterr().out


def test_a_missing_data_folder_is_told_with_what_to_do(project: Project) -> None:
    rank = project.start("empty", 1, data__root="nowhere")[0]
    assert rank.wait() == 2
    assert "Error: nowhere/train does not exist" in rank.text
    assert "data.generate" in rank.text


def test_the_log_outlives_a_console_that_has_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    journal = Journal(tmp_path, "run", 3, clock=lambda: 1000.0)
    journal.say("부엌\ntwo lines")
    journal.record("step", loss=float("nan"), step=1, lr=0.1)
    journal.close(0, "done")
    log = (tmp_path / "train_run_rank3.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in log] == ["부엌", "two lines"]
    first = json.loads((tmp_path / "metrics_run_rank3.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"kind": "step", "t": 1000.0, "rank": 3, "loss": None, "step": 1, "lr": 0.1}


def test_known_errors_come_with_advice() -> None:
    assert "training.batch_size" in hint(
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    )
    assert "log of the rank that ended first" in hint(
        RuntimeError("Connection closed by peer [10.0.0.2]:4242")
    )
    assert "another port" in hint(RuntimeError("bind: errno 98 (Address already in use)"))
    assert "install it" in hint(RuntimeError("TritonMissing: Cannot find a working triton installation."))
    assert hint(ValueError("something else")) == ""


def test_a_size_that_does_not_fit_the_patches_is_told(project: Project) -> None:
    rank = project.start("patches", 1, model__size="S/8", data__image_size=36, data__resize="true")[0]
    assert rank.wait() == 2
    assert "pictures of 36 pixels can't be cut into patches of 8 (S/8)" in rank.text


def test_a_node_without_the_planned_gpus_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTUI_BACKEND", "nccl")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    rank = project.start("no-gpu", 1, use_cpu="")[0]
    assert rank.wait() == 1
    assert "node0: the run is planned on GPUs, but torch" in rank.text


def test_a_tracker_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "is_wandb_available", lambda: False)
    notes: list[str] = []
    assert trackers.available(Settings(wandb=Wandb(enabled=True)), notes) == []
    assert notes == [
        "wandb.enabled is true, but its package is not installed here: this run goes on without; "
        'to have it next time: pip install "dtui[wandb]"'
    ]
