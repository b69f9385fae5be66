"""How gradients travel: a DDP hook that can halve their bytes, on every backend, and times itself.

torch's own bf16 hook refuses gloo, which is all that Windows has.
"""

# No postponed annotations here: DDP looks at a hook's annotations as objects.
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import GradBucket

WIRE = {"none": None, "fp16": torch.float16, "bf16": torch.bfloat16}


class GradientExchange:
    """Averages a bucket over all ranks as ``wire`` numbers (None: as they are)."""

    def __init__(
        self,
        wire: torch.dtype | None,
        size: int,
        *,
        timed: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._wire = wire
        self._size = size
        self._timed = timed
        self._clock = clock
        self._lock = threading.Lock()
        self._busy = 0.0
        self._until = 0.0

    def hook(self, state: Any, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        """Start a bucket's all-reduce; DDP waits for the future before the optimizer's step."""
        begun = self._clock()
        gradients = bucket.buffer()
        # Divided first, so that a sum of many does not leave fp16's range.
        sent = gradients.div_(self._size)
        if self._wire is not None and self._wire != gradients.dtype:
            sent = gradients.to(self._wire)

        def received(future: torch.futures.Future[Any]) -> torch.Tensor:
            value: torch.Tensor = future.value()[0]
            self._note(begun, self._clock())
            return value if value.dtype == gradients.dtype else gradients.copy_(value)

        sending: torch.futures.Future[torch.Tensor] = (
            dist.all_reduce(sent, async_op=True).get_future().then(received)
        )
        return sending

    def _note(self, begun: float, ended: float) -> None:
        with self._lock:
            self._busy += max(0.0, ended - max(begun, self._until))
            self._until = max(self._until, ended)

    def take(self) -> float | None:
        """Return the seconds since the last call in which something was under way.

        None where that is not known: NCCL's futures are ready when their work is queued.
        """
        with self._lock:
            busy, self._busy = self._busy, 0.0
        return busy if self._timed else None
