"""The ranks after they have joined, and object collectives between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator


@dataclass(frozen=True)
class DistributedContext:
    """This rank and its world; ``nodes`` is the launcher's count, of which a lab runs several per machine."""

    accelerator: Accelerator
    rank: int
    world_size: int
    nodes: int
    machines: int
    #: Requested features that are not available here, for the log.
    notes: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """The device of this rank."""
        return self.accelerator.device  # type: ignore[no-any-return]

    def all_gather(self, value: Any) -> list[Any]:
        """Return the picklable values of all ranks, in rank order."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: Any) -> Any:
        """Return the picklable value of rank 0."""
        if self.world_size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def shut_down(self) -> None:
        """Destroy the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()
