"""The order of the training pairs: a pure function of seed and position, so a run can resume anywhere."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

#: Blocks that are shuffled together.
_WINDOW = 16


class ShuffledIndices:
    """An endless sequence of pair indices; each epoch is a new permutation.

    With ``block_size``, nearby indices of the sequence come from a few blocks of that many pairs, so that
    files that do not fit into memory are read block by block.
    """

    def __init__(self, count: int, seed: int, block_size: int = 0) -> None:
        self._count, self._seed, self._block_size = count, seed, block_size
        self._epoch = -1
        self._permutation = np.zeros(0, np.int64)

    def __getitem__(self, position: int) -> int:
        epoch, offset = divmod(position, self._count)
        if epoch != self._epoch:
            self._permutation = self._permute(np.random.default_rng([self._seed, epoch]))
            self._epoch = epoch
        return int(self._permutation[offset])

    def _permute(self, random: np.random.Generator) -> NDArray[np.int64]:
        if not self._block_size:
            return random.permutation(self._count)
        starts = random.permutation(np.arange(0, self._count, self._block_size))
        windows = [starts[first : first + _WINDOW] for first in range(0, len(starts), _WINDOW)]
        return np.concatenate([random.permutation(self._indices_of(window)) for window in windows])

    def _indices_of(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        indices = (starts[:, None] + np.arange(self._block_size)).reshape(-1)
        return indices[indices < self._count]


class ShardedBatchSampler:
    """The endless micro-batches of one rank, from position ``start`` of the global sequence on.

    Micro-batches are assigned to the ranks in turn, so all ranks together cover the sequence without gaps or
    repetitions, also when a run resumes with another number of ranks.
    """

    def __init__(
        self, indices: ShuffledIndices, start: int, batch_size: int, rank: int, world_size: int
    ) -> None:
        self._indices, self._start, self._batch_size = indices, start, batch_size
        self._rank, self._world_size = rank, world_size

    def __iter__(self) -> Iterator[list[int]]:
        position = self._start + self._rank * self._batch_size
        while True:
            yield [self._indices[position + offset] for offset in range(self._batch_size)]
            position += self._world_size * self._batch_size


def create_data_loader(
    dataset: Sized, sampler: ShardedBatchSampler, *, workers: int, pin_memory: bool, persistent: bool
) -> DataLoader[Any]:
    """Return a data loader that reads each list of indices as one item of ``dataset``."""
    return DataLoader(
        dataset,  # type: ignore[arg-type]
        sampler=sampler,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=persistent and workers > 0,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_reset_signal_handlers,
    )


def _reset_signal_handlers(worker: int) -> None:
    """Leave signals to the rank: a forked worker inherits its handlers, and Ctrl-C reaches all processes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
