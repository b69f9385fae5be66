"""Scores many plans at once, and the two baselines that every score should be read beside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metric import mean_scores, rooms_of, score
from trainer.palette import Palette
from trainer.retrieval import NearestText
from trainer.stores import Pairs


def score_plans(truths: NDArray[np.uint8], plans: NDArray[np.uint8], palette: Palette) -> dict[str, float]:
    """Return mean scores in percent of label maps (N, H, W), with the best shift and without one."""
    rooms = rooms_of(palette)

    def one(number: int) -> tuple[Any, Any]:
        truth, plan = rooms[truths[number]], rooms[plans[number]]
        return score(truth, plan), score(truth, plan, shifted=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        shifted, plain = zip(*pool.map(one, range(len(truths))), strict=True)
    unshifted = {f"{name}_unshifted": value for name, value in mean_scores(plain).items()}
    return mean_scores(shifted) | unshifted


def baselines(
    train: Pairs, held_out: Pairs, numbers: Sequence[int], seed: int
) -> dict[str, NDArray[np.uint8]]:
    """Return for each held-out text a random training plan, and that of the nearest training text."""
    random = np.random.default_rng(seed).integers(0, len(train), len(numbers))
    nearest = NearestText(np.asarray(train.tokens)).nearest(np.asarray(held_out.tokens[list(numbers)]))
    return {
        "random": train.pictures(random.tolist()),
        "retrieval": train.pictures(nearest.tolist()),
    }
