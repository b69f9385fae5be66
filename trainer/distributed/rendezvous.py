"""Waits for rank 0, and reports the wait; torch itself prints nothing until its timeout."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from trainer.distributed.rank_environment import RankEnvironment
from trainer.errors import NotDistributedError
from trainer.metrics_logger import MetricsLogger

#: Seconds between two log lines.
_REPORT_INTERVAL = 10.0


def wait_for_rank_zero(
    environment: RankEnvironment,
    timeout: float,
    logger: MetricsLogger,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when rank 0 accepts a connection; raises NotDistributedError after ``timeout`` seconds."""
    started = reported = clock()
    address = f"{environment.master_address}:{environment.master_port}"
    while True:
        try:
            socket.create_connection((environment.master_address, environment.master_port), timeout=5).close()
            return
        except OSError as error:
            now = clock()
            if now - started > timeout:
                raise NotDistributedError(
                    f"rank 0 did not answer at {address} for {timeout:.0f} s: {error}",
                    "check that rank 0 runs, its address, and that its firewall allows the port",
                ) from None
            if now - reported >= _REPORT_INTERVAL:
                reported = now
                logger.info(f"waiting for rank 0 at {address} since {now - started:.0f} s ({error})")
        sleep(0.2)
