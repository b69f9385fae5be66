from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.batches import Order, RankBatches


@given(st.integers(1, 300), st.integers(0, 5), st.integers(0, 40))
def test_each_epoch_is_a_permutation_of_its_own(count: int, seed: int, block: int) -> None:
    order = Order(count, seed, block)
    first, second = ([order[epoch * count + at] for at in range(count)] for epoch in range(2))
    assert sorted(first) == sorted(second) == list(range(count))
    if count > 20:
        assert first != second


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_ranks_together_see_the_sequence_without_gap(world: int, batch: int, later: int, rounds: int) -> None:
    """Also when the world changes in the middle of a run."""
    order, seen = Order(37, 3), []
    for size, begun in ((world, 0), (later, world * batch * rounds)):
        ranks = [iter(RankBatches(order, begun, batch, rank, size)) for rank in range(size)]
        for _ in range(rounds):
            seen += [number for rank in ranks for number in next(rank)]
    assert seen == [order[position] for position in range(len(seen))]


def test_blocks_keep_neighbours_together() -> None:
    order = Order(10000, 0, 100)
    head = [order[position] // 100 for position in range(400)]
    assert len(set(head)) <= 16


@pytest.mark.parametrize("start", [0, 5, 111])
def test_any_position_can_be_begun_at(start: int) -> None:
    whole = [n for batch in islice(RankBatches(Order(20, 1), 0, 1, 0, 1), 200) for n in batch]
    later = [n for batch in islice(RankBatches(Order(20, 1), start, 1, 0, 1), 40) for n in batch]
    assert later == whole[start : start + 40]
