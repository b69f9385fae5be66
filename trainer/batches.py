"""Which pairs a rank sees at which step: a pure function of seed and position, so that a run can resume anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from torch.utils.data import DataLoader


class Order:
    """An endless sequence of pair numbers: each epoch a new permutation."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._epoch = -1
        self._permutation = np.zeros(0, np.int64)

    def __getitem__(self, position: int) -> int:
        epoch, at = divmod(position, self._count)
        if epoch != self._epoch:
            self._permutation = np.random.default_rng([self._seed, epoch]).permutation(self._count)
            self._epoch = epoch
        return int(self._permutation[at])


class RankBatches:
    """This rank's micro-batches from position ``start`` (pairs seen by all ranks together) on, for ever.

    The ranks take turns by micro-batch: all of them together see the sequence without gap or repetition.
    """

    def __init__(self, order: Order, start: int, batch: int, rank: int, world: int) -> None:
        self._order, self._start, self._batch = order, start, batch
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[list[int]]:
        position = self._start + self._rank * self._batch
        while True:
            yield [self._order[position + at] for at in range(self._batch)]
            position += self._world * self._batch


def loader(
    pairs: Sized, batches: RankBatches, *, workers: int, pin_memory: bool, persistent: bool
) -> DataLoader[Any]:
    """Return a loader of ``batches``; each list of numbers is one read of ``pairs``."""
    return DataLoader(
        pairs,  # type: ignore[arg-type]
        sampler=batches,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=persistent and workers > 0,
        prefetch_factor=4 if workers else None,
    )
