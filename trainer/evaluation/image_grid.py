"""Writes plans as PNG files, single or in a grid."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.dataset.palette import Palette

_BORDER = 4
#: Smaller plans are enlarged to at least this many pixels.
_MIN_SIZE = 128


def to_rgb(plans: NDArray[np.uint8], palette: Palette | None) -> NDArray[np.uint8]:
    """Return plans, classes or RGB, as uint8 RGB (N, H, W, 3)."""
    return palette.to_rgb(plans) if palette else plans


def save_grid(rows: list[NDArray[np.uint8]], path: Path) -> None:
    """Write rows of plans, each uint8 (N, H, W, 3), one below the other."""
    scale = max(1, _MIN_SIZE // rows[0].shape[1])
    lines = [
        np.concatenate([_add_border(plan.repeat(scale, 0).repeat(scale, 1)) for plan in row], 1)
        for row in rows
    ]
    write_png(np.concatenate(lines, 0), path)


def write_png(rgb: NDArray[np.uint8], path: Path) -> None:
    """Write an image atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    Image.fromarray(rgb).save(temporary, format="PNG")
    temporary.replace(path)


def _add_border(plan: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(plan, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), constant_values=200)
