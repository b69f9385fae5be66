"""A DDP communication hook that can compress gradients on every backend, and measures its time.

torch's own bf16 hook rejects gloo, which is the only backend on Windows.
"""

# No postponed annotations in this module: DDP checks the annotations of a hook as objects.
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import GradBucket

COMPRESSION_DTYPES = {"none": None, "fp16": torch.float16, "bf16": torch.bfloat16}


class AllReduceHook:
    """Averages buckets over all ranks, sent as ``dtype`` (None: uncompressed)."""

    def __init__(
        self,
        dtype: torch.dtype | None,
        world_size: int,
        *,
        timed: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._dtype = dtype
        self._world_size = world_size
        self._timed = timed
        self._clock = clock
        self._lock = threading.Lock()
        self._busy_seconds = 0.0
        self._busy_until = 0.0

    def all_reduce(self, state: Any, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Start the all-reduce of a bucket; DDP waits for the future before the optimizer step."""
        started = self._clock()
        gradients = bucket.buffer()
        # Divided before the sum, so that the sum over many ranks stays within fp16's range.
        sent = gradients.div_(self._world_size)
        if self._dtype is not None and self._dtype != gradients.dtype:
            sent = gradients.to(self._dtype)

        def receive(future: torch.futures.Future[Any]) -> torch.Tensor:
            value: torch.Tensor = future.value()[0]
            self._add_interval(started, self._clock())
            return value if value.dtype == gradients.dtype else gradients.copy_(value)

        reduced: torch.futures.Future[torch.Tensor] = (
            dist.all_reduce(sent, async_op=True).get_future().then(receive)
        )
        return reduced

    def _add_interval(self, started: float, ended: float) -> None:
        with self._lock:
            self._busy_seconds += max(0.0, ended - max(started, self._busy_until))
            self._busy_until = max(self._busy_until, ended)

    def pop_busy_seconds(self) -> float | None:
        """Return the seconds since the last call in which at least one bucket was in flight.

        None if unknown: NCCL's futures complete when their work is queued, not when it is done.
        """
        with self._lock:
            busy, self._busy_seconds = self._busy_seconds, 0.0
        return busy if self._timed else None
