"""Tell2Design's score: the intersection over union (IoU) of the rooms of two plans, exactly as published.

The ground truth is rolled by up to 48 pixels, in steps of 2, along both axes. The shift with the best mean
IoU over the rooms that either plan has is selected. With this shift, over the rooms that the ground truth
has, ``pooled`` is the sum of intersections divided by the sum of unions, and ``room`` is the mean IoU per
room. (The published script calls the first "macro" and the second "micro".) The intersections of all shifts
are computed at once, as a circular correlation by FFT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.palette import COLOURS, ROOMS, Palette, standard_palette

#: The largest shift in pixels, and the step.
MAX_SHIFT, SHIFT_STEP = 48, 2
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Score:
    """The score of a plan, 0 to 1, and the selected shift (columns, rows) of the ground truth."""

    pooled: float
    room: float
    shift: tuple[int, int]


def room_numbers(palette: Palette) -> Labels:
    """Return the room number of each class, 1 to 9, or 0 for classes that are not scored.

    The class of a palette colour is that of the nearest of the twelve standard colours.
    """
    classes = standard_palette().to_labels(palette.rgb)
    numbers = np.array([ROOMS.index(name) + 1 if name in ROOMS else 0 for name in COLOURS], np.uint8)
    return numbers[classes]


def score_plan(truth: Labels, plan: Labels, *, shifted: bool = True) -> Score | None:
    """Return the score of a plan; None if the ground truth has no room.

    Both are square maps (H, W) of room numbers. Without ``shifted`` the ground truth is not rolled.
    """
    numbers = np.arange(1, len(ROOMS) + 1, dtype=truth.dtype)[:, None, None]
    truth_masks, plan_masks = truth == numbers, plan == numbers
    if not truth_masks.any():
        return None
    truth_areas, plan_areas = truth_masks.sum((1, 2)), plan_masks.sum((1, 2))
    if shifted:
        shifts = _shifts(truth.shape[0])
        intersections = np.zeros((len(shifts), len(shifts), len(ROOMS)), np.int64)
        in_both = (truth_areas > 0) & (plan_areas > 0)
        intersections[..., in_both] = _shifted_intersections(
            truth_masks[in_both], plan_masks[in_both], shifts
        )
    else:
        shifts, intersections = [0], (truth_masks & plan_masks).sum((1, 2))[None, None]
    unions = truth_areas + plan_areas - intersections
    # Rooms that neither plan has do not count in the mean.
    in_either = (truth_areas + plan_areas) > 0
    mean_iou = np.ascontiguousarray(intersections[..., in_either] / unions[..., in_either]).mean(-1)
    column, row = np.unravel_index(int(mean_iou.argmax()), mean_iou.shape)
    in_truth = truth_areas > 0
    intersection, union = intersections[column, row][in_truth], unions[column, row][in_truth]
    return Score(
        pooled=float(intersection.sum() / union.sum()),
        room=float(np.mean(intersection / union)),
        shift=(shifts[column], shifts[row]),
    )


def _shifts(size: int) -> list[int]:
    # In the order of the published script, so that the same one of equally good shifts is selected.
    shifts = [shift for shift in range(0, MAX_SHIFT + 1, SHIFT_STEP) if shift < size]
    return [*shifts, *(-shift for shift in shifts[1:])]


def _shifted_intersections(truth: NDArray[np.bool_], plan: NDArray[np.bool_], shifts: list[int]) -> Labels:
    """Return the intersections (columns, rows, rooms) with the ground truth rolled by each shift."""
    spectrum = np.fft.rfft2(truth.astype(np.float32)).conj() * np.fft.rfft2(plan.astype(np.float32))
    counts = np.rint(np.fft.irfft2(spectrum, s=truth.shape[1:])).astype(np.int64)
    return counts[:, shifts][:, :, shifts].transpose(2, 1, 0)


def mean_scores(scores: Iterable[Score | None]) -> dict[str, float]:
    """Return ``iou_pooled`` and ``iou_room`` in percent, averaged over the plans that have a score."""
    present = [score for score in scores if score is not None]
    return {
        "iou_pooled": 100 * float(np.mean([score.pooled for score in present])),
        "iou_room": 100 * float(np.mean([score.room for score in present])),
    }
