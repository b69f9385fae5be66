from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.dataset.palette import COLOURS, standard_palette
from trainer.evaluation.plan_iou import Score, mean_scores, room_numbers, score_plan
from trainer.evaluation.scoring import score_plans

Labels = NDArray[np.uint8]


def reference_score(truth: Labels, plan: Labels) -> Score:
    """The score by its definition: computes every shift and every intersection separately."""
    shifts = [*range(0, 50, 2), *range(0, -50, -2)]
    best, best_shift = -1.0, (0, 0)
    for column in shifts:
        for row in shifts:
            rolled = np.roll(np.roll(truth, column, -1), row, -2)
            rooms = [k for k in range(1, 10) if (rolled == k).any() or (plan == k).any()]
            ious = [((rolled == k) & (plan == k)).sum() / ((rolled == k) | (plan == k)).sum() for k in rooms]
            mean = np.average(np.array(ious))
            if mean > best:
                best, best_shift = mean, (column, row)
    rolled = np.roll(np.roll(truth, best_shift[0], -1), best_shift[1], -2)
    rooms = [k for k in range(1, 10) if (truth == k).any()]
    intersections = [((rolled == k) & (plan == k)).sum() for k in rooms]
    unions = [((rolled == k) | (plan == k)).sum() for k in rooms]
    room = np.average([i / u for i, u in zip(intersections, unions, strict=True)])
    return Score(float(np.sum(intersections) / np.sum(unions)), float(room), best_shift)


def random_plan(rng: np.random.Generator, size: int) -> Labels:
    plan = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(1, 7)):
        x, y = rng.integers(0, size - 8, 2)
        w, h = rng.integers(4, size // 2, 2)
        plan[y : y + h, x : x + w] = rng.integers(0, 10)
    plan[0] = 0
    return plan


@pytest.mark.parametrize("seed", range(4))
def test_the_score_equals_the_definition_bit_for_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, plan = random_plan(rng, 64), random_plan(rng, 64)
    truth[20:24, 20:24] = 3
    assert score_plan(truth, plan) == reference_score(truth, plan)


def test_of_equally_good_shifts_the_first_in_published_order_is_selected() -> None:
    truth, plan = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    truth[10:20, 10:20], plan[30:40, 40:50] = 5, 5
    truth[0:2, 0:2], plan[50:52, 0:2] = 2, 7
    assert score_plan(truth, plan) == reference_score(truth, plan)


def test_a_moved_plan_scores_fully_with_shift_only() -> None:
    truth = random_plan(np.random.default_rng(9), 128)
    moved = np.roll(truth, (6, -10), (0, 1))
    assert score_plan(truth, moved) == Score(1.0, 1.0, (-10, 6))
    unshifted = score_plan(truth, moved, shifted=False)
    assert unshifted is not None
    assert unshifted.pooled < 1


def test_a_ground_truth_without_rooms_has_no_score() -> None:
    assert score_plan(np.zeros((64, 64), np.uint8), np.ones((64, 64), np.uint8)) is None


def test_walls_doors_and_the_outside_are_not_scored() -> None:
    numbers = dict(zip(COLOURS, room_numbers(standard_palette()).tolist(), strict=True))
    assert [name for name, number in numbers.items() if number == 0] == ["exterior", "wall", "front door"]
    assert sorted(number for number in numbers.values() if number) == list(range(1, 10))


def test_the_scores_of_many_plans_are_averaged_in_percent() -> None:
    palette = standard_palette()
    truth = np.zeros((2, 64, 64), np.uint8)
    truth[:, 10:30, 10:30] = 4
    plans = truth.copy()
    plans[1] = 0
    scores = score_plans(truth, plans, palette)
    assert scores["iou_pooled"] == scores["iou_room_unshifted"] == 50.0
    assert mean_scores([Score(0.5, 0.25, (0, 0)), None])["iou_room"] == 25.0
