from __future__ import annotations

import socket
from pathlib import Path

import pytest

from trainer.distributed.rank_environment import read_rank_environment
from trainer.distributed.rendezvous import wait_for_rank_zero
from trainer.errors import NotDistributedError
from trainer.metrics_logger import MetricsLogger

pytestmark = pytest.mark.torch


def test_a_rank_logs_that_it_waits_for_rank_zero_and_gives_up_after_the_timeout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        environment = read_rank_environment(
            {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}, 0.0
        )
        logger = MetricsLogger(tmp_path, "r", 1)
        times = iter(range(0, 1000, 4))
        with pytest.raises(
            NotDistributedError, match=rf"rank 0 did not answer at 127\.0\.0\.1:{port} for 30 s"
        ):
            wait_for_rank_zero(
                environment, 30, logger, clock=lambda: float(next(times)), sleep=lambda seconds: None
            )
        logger.close(1, "failed")
    assert f"waiting for rank 0 at 127.0.0.1:{port} since 12 s" in capsys.readouterr().out
