"""Grids of plans as PNG, for people."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.palette import Palette

_GAP = 4
_SMALLEST = 128


def as_rgb(plans: NDArray[np.uint8], palette: Palette | None) -> NDArray[np.uint8]:
    """Return uint8 (N, H, W, 3) of plans as they are stored."""
    return palette.pixels(plans) if palette else plans


def save_grid(rows: list[NDArray[np.uint8]], path: Path) -> None:
    """Write rows of plans, each uint8 (N, H, W, 3), under each other; small plans are enlarged."""
    scale = max(1, _SMALLEST // rows[0].shape[1])
    lines = [
        np.concatenate([_framed(plan.repeat(scale, 0).repeat(scale, 1)) for plan in row], 1) for row in rows
    ]
    write_png(np.concatenate(lines, 0), path)


def write_png(rgb: NDArray[np.uint8], path: Path) -> None:
    """Write a picture so that a reader sees the old or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    Image.fromarray(rgb).save(beside, format="PNG")
    beside.replace(path)


def _framed(plan: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(plan, ((_GAP, _GAP), (_GAP, _GAP), (0, 0)), constant_values=200)
