"""The twelve colours of Tell2Design's floor plans; conversion between RGB images and label maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: In the order of the classes.
COLOURS: dict[str, tuple[int, int, int]] = {
    "exterior": (255, 255, 255),
    "wall": (0, 0, 0),
    "front door": (255, 0, 0),
    "living room": (238, 232, 170),
    "kitchen": (240, 128, 128),
    "bathroom": (173, 216, 230),
    "master room": (255, 165, 0),
    "common room": (255, 215, 0),
    "balcony": (107, 142, 35),
    "storage": (221, 160, 221),
    "dining room": (218, 112, 214),
    "entrance": (255, 255, 0),
}
_STRUCTURE = ("exterior", "wall", "front door")
#: The classes that Tell2Design's score includes.
ROOMS = tuple(name for name in COLOURS if name not in _STRUCTURE)
MAX_COLOURS = 32
#: Fraction of the pixels that a palette must cover.
_COVERAGE = 0.999
_NO_LABEL = 255


class Palette:
    """An ordered set of at most 255 colours; a colour's class is its index."""

    def __init__(self, colours: Iterable[tuple[int, int, int]]) -> None:
        self.colours = tuple((int(r), int(g), int(b)) for r, g, b in colours)
        self.rgb = np.array(self.colours, np.uint8)
        self._label_of_code: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.colours)

    def to_labels(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the class of each pixel of uint8 (..., 3): that of the nearest colour of the palette."""
        if self._label_of_code is None:
            # A table of all 2^24 colours takes 16 MB, and is many times faster than a search per pixel.
            self._label_of_code = np.full(1 << 24, _NO_LABEL, np.uint8)
            self._label_of_code[_codes(self.rgb)] = np.arange(len(self), dtype=np.uint8)
        labels: NDArray[np.uint8] = self._label_of_code[_codes(rgb)]
        unknown = labels == _NO_LABEL
        if unknown.any():
            labels[unknown] = self._nearest_labels(rgb[unknown])
        return labels

    def to_rgb(self, labels: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return uint8 RGB (..., 3) of classes."""
        rgb: NDArray[np.uint8] = self.rgb[labels]
        return rgb

    def _nearest_labels(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        colours, inverse = np.unique(rgb, axis=0, return_inverse=True)
        squared_distances = (colours[:, None].astype(np.int32) - self.rgb[None].astype(np.int32)) ** 2
        labels: NDArray[np.uint8] = squared_distances.sum(-1).argmin(1).astype(np.uint8)[inverse.reshape(-1)]
        return labels


def standard_palette() -> Palette:
    """Return Tell2Design's palette."""
    return Palette(COLOURS.values())


def find_palette(images: Iterable[NDArray[np.uint8]]) -> Palette | None:
    """Return a palette that covers 99.9 % of the pixels of uint8 (H, W, 3) images, None if it is too large.

    The standard colours come first and in their own order, so that similar data always get the same palette.
    """
    counts: Counter[int] = Counter()
    for image in images:
        codes, numbers = np.unique(_codes(image), return_counts=True)
        counts.update(dict(zip(codes.tolist(), numbers.tolist(), strict=True)))
    total, covered = sum(counts.values()), 0
    needed: list[int] = []
    for code, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= _COVERAGE * total:
            break
        needed.append(code)
        covered += number
    standard = {_code(colour): colour for colour in COLOURS.values()}
    others = sorted(set(needed) - set(standard))
    if len(others) < len(needed) and len(standard) + len(others) <= MAX_COLOURS:
        return Palette([*standard.values(), *map(_colour, others)])
    return Palette(map(_colour, sorted(needed))) if needed and len(needed) <= MAX_COLOURS else None


def _code(colour: tuple[int, int, int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _colour(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
