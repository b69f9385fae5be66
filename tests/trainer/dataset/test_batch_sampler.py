from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.dataset.batch_sampler import ShardedBatchSampler, ShuffledIndices


@given(st.integers(1, 300), st.integers(0, 5), st.integers(0, 40))
def test_each_epoch_is_a_different_permutation(count: int, seed: int, block_size: int) -> None:
    indices = ShuffledIndices(count, seed, block_size)
    first, second = ([indices[epoch * count + offset] for offset in range(count)] for epoch in range(2))
    assert sorted(first) == sorted(second) == list(range(count))
    if count > 20:
        assert first != second


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_all_ranks_together_cover_the_sequence_without_gaps(
    world_size: int, batch_size: int, later_world_size: int, rounds: int
) -> None:
    """Also if the number of ranks changes when a run resumes."""
    indices, seen = ShuffledIndices(37, 3), []
    for size, start in ((world_size, 0), (later_world_size, world_size * batch_size * rounds)):
        ranks = [iter(ShardedBatchSampler(indices, start, batch_size, rank, size)) for rank in range(size)]
        for _ in range(rounds):
            seen += [index for rank in ranks for index in next(rank)]
    assert seen == [indices[position] for position in range(len(seen))]


def test_with_blocks_nearby_positions_come_from_a_few_blocks() -> None:
    indices = ShuffledIndices(10000, 0, 100)
    blocks = [indices[position] // 100 for position in range(400)]
    assert len(set(blocks)) <= 16


@pytest.mark.parametrize("start", [0, 5, 111])
def test_sampling_can_start_at_any_position(start: int) -> None:
    whole = [
        index
        for batch in islice(ShardedBatchSampler(ShuffledIndices(20, 1), 0, 1, 0, 1), 200)
        for index in batch
    ]
    rest = [
        index
        for batch in islice(ShardedBatchSampler(ShuffledIndices(20, 1), start, 1, 0, 1), 40)
        for index in batch
    ]
    assert rest == whole[start : start + 40]
