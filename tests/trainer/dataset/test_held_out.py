"""Which training pairs are held out without data/val."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.cache import PreprocessingOptions, open_dataset
from trainer.dataset.held_out import held_out_rows, hold_out

OPTIONS = PreprocessingOptions(32, False, "auto", 24, 256)


@pytest.mark.parametrize("storage", ["decoded", "packed"])
def test_held_out_pairs_are_a_twentieth_and_none_of_them_is_trained_on(
    data: Path, tmp_path: Path, storage: str
) -> None:
    whole = open_dataset(data / "train", replace(OPTIONS, storage=storage), tmp_path)
    pairs = hold_out(whole)
    assert pairs.held_out is not None
    assert (len(pairs.train), len(pairs.held_out)) == (38, 2)
    assert sorted(pairs.train.stems + pairs.held_out.stems) == sorted(whole.stems)
    for part in (pairs.train, pickle.loads(pickle.dumps(pairs.train)), pairs.held_out):
        rows = [whole.stems.index(stem) for stem in part.stems]
        assert len(set(rows)) == len(part)
        batch, expected = part[list(range(len(part)))], whole[rows]
        assert batch["tokens"].equal(expected["tokens"])
        assert batch["images"].equal(expected["images"])
        assert np.array_equal(part.token_ids, whole.token_ids[rows])
        assert part.block_size == whole.block_size


def test_the_choice_depends_on_names_and_not_on_their_order() -> None:
    names = [f"plan-{number}" for number in range(100)]
    chosen = {names[row] for row in held_out_rows(names)}
    assert len(chosen) == 5
    backwards = names[::-1]
    assert {backwards[row] for row in held_out_rows(backwards)} == chosen


def test_a_single_pair_is_trained_on_and_not_held_out() -> None:
    assert [len(held_out_rows(["a"] * 0)), len(held_out_rows(["a"])), len(held_out_rows(["a", "b"]))] == [
        0,
        0,
        1,
    ]
