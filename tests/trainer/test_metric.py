from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.metric import Score, mean_scores, rooms_of, score
from trainer.palette import COLOURS, standard_palette
from trainer.retrieval import NearestText
from trainer.scoring import score_plans

Labels = NDArray[np.uint8]


def slow(truth: Labels, plan: Labels) -> Score:
    """The score by its definition: every shift tried, every intersection counted."""
    reach = [*range(0, 50, 2), *range(0, -50, -2)]
    best, shift = -1.0, (0, 0)
    for column in reach:
        for row in reach:
            rolled = np.roll(np.roll(truth, column, -1), row, -2)
            kinds = [k for k in range(1, 10) if (rolled == k).any() or (plan == k).any()]
            ratios = [
                ((rolled == k) & (plan == k)).sum() / ((rolled == k) | (plan == k)).sum() for k in kinds
            ]
            mean = np.average(np.array(ratios))
            if mean > best:
                best, shift = mean, (column, row)
    rolled = np.roll(np.roll(truth, shift[0], -1), shift[1], -2)
    there = [kind for kind in range(1, 10) if (truth == kind).any()]
    inter = [((rolled == kind) & (plan == kind)).sum() for kind in there]
    union = [((rolled == kind) | (plan == kind)).sum() for kind in there]
    room = np.average([i / u for i, u in zip(inter, union, strict=True)])
    return Score(float(np.sum(inter) / np.sum(union)), float(room), shift)


def plan_of(random: np.random.Generator, size: int) -> Labels:
    plan = np.zeros((size, size), np.uint8)
    for _ in range(random.integers(1, 7)):
        x, y = random.integers(0, size - 8, 2)
        w, h = random.integers(4, size // 2, 2)
        plan[y : y + h, x : x + w] = random.integers(0, 10)
    plan[0] = 0
    return plan


@pytest.mark.parametrize("seed", range(4))
def test_the_fast_score_is_the_definition_bit_for_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, plan = plan_of(random, 64), plan_of(random, 64)
    truth[20:24, 20:24] = 3
    assert score(truth, plan) == slow(truth, plan)


def test_of_equal_shifts_the_published_order_decides() -> None:
    truth, plan = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    truth[10:20, 10:20], plan[30:40, 40:50] = 5, 5
    truth[0:2, 0:2], plan[50:52, 0:2] = 2, 7
    assert score(truth, plan) == slow(truth, plan)


def test_a_moved_plan_is_as_good_as_the_truth_and_without_shift_it_is_not() -> None:
    truth = plan_of(np.random.default_rng(9), 128)
    moved = np.roll(truth, (6, -10), (0, 1))
    assert score(truth, moved) == Score(1.0, 1.0, (-10, 6))
    plain = score(truth, moved, shifted=False)
    assert plain is not None
    assert plain.pooled < 1


def test_a_truth_without_rooms_has_no_score() -> None:
    assert score(np.zeros((64, 64), np.uint8), np.ones((64, 64), np.uint8)) is None


def test_walls_doors_and_the_outside_are_not_scored() -> None:
    numbers = dict(zip(COLOURS, rooms_of(standard_palette()).tolist(), strict=True))
    assert [name for name, number in numbers.items() if number == 0] == ["exterior", "wall", "front door"]
    assert sorted(number for number in numbers.values() if number) == list(range(1, 10))


def test_many_plans_are_averaged_in_percent() -> None:
    palette = standard_palette()
    truth = np.zeros((2, 64, 64), np.uint8)
    truth[:, 10:30, 10:30] = 4
    plans = truth.copy()
    plans[1] = 0
    scores = score_plans(truth, plans, palette)
    assert scores["iou_pooled"] == scores["iou_room_unshifted"] == 50.0
    assert mean_scores([Score(0.5, 0.25, (0, 0)), None])["iou_room"] == 25.0


def test_the_nearest_text_shares_the_rare_words() -> None:
    train = np.array([[1, 2, 3, 0], [1, 2, 4, 0], [1, 5, 5, 6]], np.int32)
    found = NearestText(train).nearest(np.array([[1, 4, 0, 0], [6, 5, 99, 0], [3, 2, 1, 0]], np.int32))
    assert found.tolist() == [1, 2, 0]
