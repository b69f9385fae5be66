"""Tell2Design's score of a plan against the truth, exactly as published, by FFT.

The truth is rolled over +-48 pixels in steps of 2 along both axes; of all shifts the one counts with the
best mean intersection over union, over the rooms that either plan has. With that shift, over the rooms that
the truth has: ``pooled`` is the sum of intersections over the sum of unions, ``room`` the mean of each
room's ratio. (The published script calls the first "macro" and the second "micro".) All shifts at once are
a circular correlation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.palette import COLOURS, ROOMS, Palette

#: Reach of the shift in pixels, and its step.
REACH, STEP = 48, 2
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Score:
    """One plan's score, 0 to 1, and the shift (columns, rows) of the truth that gave it."""

    pooled: float
    room: float
    shift: tuple[int, int]


def rooms_of(palette: Palette) -> Labels:
    """Return for each class its room number 1 to 9, or 0 for what is not scored.

    A palette colour belongs to the nearest of the twelve known ones.
    """
    known = Palette(COLOURS.values()).labels(palette.rgb)
    numbers = np.array([ROOMS.index(name) + 1 if name in ROOMS else 0 for name in COLOURS], np.uint8)
    return numbers[known]


def score(truth: Labels, plan: Labels, *, shifted: bool = True) -> Score | None:
    """Return the score of square maps of room numbers (H, W); None when the truth has no room.

    ``shifted`` False compares them as they lie.
    """
    kinds = np.arange(1, len(ROOMS) + 1, dtype=truth.dtype)[:, None, None]
    of_truth, of_plan = truth == kinds, plan == kinds
    if not of_truth.any():
        return None
    areas = of_truth.sum((1, 2)), of_plan.sum((1, 2))
    if shifted:
        shifts = _shifts(truth.shape[0])
        both = np.zeros((len(shifts), len(shifts), len(ROOMS)), np.int64)
        shared = (areas[0] > 0) & (areas[1] > 0)
        both[..., shared] = _intersections(of_truth[shared], of_plan[shared], shifts)
    else:
        shifts, both = [0], (of_truth & of_plan).sum((1, 2))[None, None]
    either = areas[0] + areas[1] - both
    # Rooms of either plan; an area that neither has must not count in the mean.
    present = (areas[0] + areas[1]) > 0
    means = np.ascontiguousarray(both[..., present] / either[..., present]).mean(-1)
    column, row = np.unravel_index(int(means.argmax()), means.shape)
    there = areas[0] > 0
    inter, union = both[column, row][there], either[column, row][there]
    return Score(
        pooled=float(inter.sum() / union.sum()),
        room=float(np.mean(inter / union)),
        shift=(shifts[column], shifts[row]),
    )


def _shifts(size: int) -> list[int]:
    # In this order, so that of equal shifts the same one wins as in the published script.
    reach = [step for step in range(0, REACH + 1, STEP) if step < size]
    return [*reach, *(-step for step in reach[1:])]


def _intersections(truth: NDArray[np.bool_], plan: NDArray[np.bool_], shifts: list[int]) -> Labels:
    """Return common pixels (columns, rows, rooms) with the truth rolled by each shift."""
    spectrum = np.fft.rfft2(truth.astype(np.float32)).conj() * np.fft.rfft2(plan.astype(np.float32))
    counts = np.rint(np.fft.irfft2(spectrum, s=truth.shape[1:])).astype(np.int64)
    return counts[:, shifts][:, :, shifts].transpose(2, 1, 0)


def mean_scores(scores: Iterable[Score | None]) -> dict[str, float]:
    """Return ``iou_pooled`` and ``iou_room`` in percent, averaged over plans."""
    kept = [each for each in scores if each is not None]
    return {
        "iou_pooled": 100 * float(np.mean([each.pooled for each in kept])),
        "iou_room": 100 * float(np.mean([each.room for each in kept])),
    }
