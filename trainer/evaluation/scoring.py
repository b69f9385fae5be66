"""Mean scores of many plans, and the plans of two baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.pair_dataset import PairDataset
from trainer.dataset.palette import Palette
from trainer.evaluation.plan_iou import Score, mean_scores, room_numbers, score_plan
from trainer.evaluation.retrieval import NearestTextIndex


def score_plans(truths: NDArray[np.uint8], plans: NDArray[np.uint8], palette: Palette) -> dict[str, float]:
    """Return the mean scores in percent of label maps (N, H, W), with the best shift and ``_unshifted``."""
    numbers = room_numbers(palette)

    def score(index: int) -> tuple[Score | None, Score | None]:
        truth, plan = numbers[truths[index]], numbers[plans[index]]
        return score_plan(truth, plan), score_plan(truth, plan, shifted=False)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        shifted, unshifted = zip(*pool.map(score, range(len(truths))), strict=True)
    return mean_scores_by_name(shifted, unshifted)


def mean_scores_by_name(
    shifted: Sequence[Score | None], unshifted: Sequence[Score | None]
) -> dict[str, float]:
    """Return the means in percent; the names of unshifted ones end in ``_unshifted``."""
    means_unshifted = {f"{name}_unshifted": value for name, value in mean_scores(unshifted).items()}
    return mean_scores(shifted) | means_unshifted


def baseline_plans(
    train: PairDataset, held_out: PairDataset, indices: Sequence[int], seed: int
) -> dict[str, NDArray[np.uint8]]:
    """Return for each held-out text a random training plan, and the plan of the nearest training text."""
    random = np.random.default_rng(seed).integers(0, len(train), len(indices))
    index = NearestTextIndex(np.asarray(train.token_ids))
    nearest = index.nearest(np.asarray(held_out.token_ids[list(indices)]))
    return {
        "random": train.images(random.tolist()),
        "retrieval": train.images(nearest.tolist()),
    }
