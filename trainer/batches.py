"""Which pairs a rank sees when: a pure function of seed and position, so that a run can resume anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

#: Blocks that are mixed with each other, where reading is by block.
_WINDOW = 16


class Order:
    """An endless sequence of pair numbers: each epoch a new permutation.

    With ``block``, neighbours in the sequence come from a few blocks of so many pairs: files too large for
    memory are then read piece by piece.
    """

    def __init__(self, count: int, seed: int, block: int = 0) -> None:
        self._count, self._seed, self._block = count, seed, block
        self._epoch = -1
        self._permutation = np.zeros(0, np.int64)

    def __getitem__(self, position: int) -> int:
        epoch, at = divmod(position, self._count)
        if epoch != self._epoch:
            self._permutation = self._shuffled(np.random.default_rng([self._seed, epoch]))
            self._epoch = epoch
        return int(self._permutation[at])

    def _shuffled(self, random: np.random.Generator) -> NDArray[np.int64]:
        if not self._block:
            return random.permutation(self._count)
        starts = random.permutation(np.arange(0, self._count, self._block))
        windows = [starts[at : at + _WINDOW] for at in range(0, len(starts), _WINDOW)]
        return np.concatenate([random.permutation(self._members(window)) for window in windows])

    def _members(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        members = (starts[:, None] + np.arange(self._block)).reshape(-1)
        return members[members < self._count]


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
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=persistent and workers > 0,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_be_quiet,
    )


def _be_quiet(worker: int) -> None:
    """Leave signals to the rank: a forked loader has its handlers, and Ctrl-C reaches the whole group."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
