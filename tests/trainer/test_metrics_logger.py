from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from trainer.metrics_logger import MetricsLogger


def test_the_log_file_is_written_even_if_stdout_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ClosedStdout:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", ClosedStdout())
    logger = MetricsLogger(tmp_path, "run", 3, clock=lambda: 1000.0)
    logger.info("부엌\ntwo lines")
    logger.record("step", loss=float("nan"), step=1, lr=0.1)
    logger.close(0, "done")
    log = (tmp_path / "train_run_rank3.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in log] == ["부엌", "two lines"]
    first = json.loads((tmp_path / "metrics_run_rank3.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"kind": "step", "t": 1000.0, "rank": 3, "loss": None, "step": 1, "lr": 0.1}
