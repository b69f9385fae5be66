"""The twelve colours of Tell2Design's floor plans, and label maps from and to RGB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Names in the order that pictures are written with.
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
#: What the official score looks at; the rest is structure.
ROOMS = (
    "living room",
    "kitchen",
    "bathroom",
    "master room",
    "common room",
    "balcony",
    "storage",
    "dining room",
    "entrance",
)
MOST_COLOURS = 32
_COVERED = 0.999
_UNKNOWN = 255


class Palette:
    """An ordered set of at most 255 colours; a class is its index."""

    def __init__(self, colours: Iterable[tuple[int, int, int]]) -> None:
        self.colours = tuple((int(r), int(g), int(b)) for r, g, b in colours)
        self.rgb = np.array(self.colours, np.uint8)
        self._known: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.colours)

    def labels(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the class of each pixel of uint8 (..., 3); a colour that is not there takes the nearest."""
        if self._known is None:
            # A table of all colours: 16 MB, and many times faster than a search a pixel.
            self._known = np.full(1 << 24, _UNKNOWN, np.uint8)
            self._known[_codes(self.rgb)] = np.arange(len(self), dtype=np.uint8)
        labels: NDArray[np.uint8] = self._known[_codes(rgb)]
        strange = labels == _UNKNOWN
        if strange.any():
            labels[strange] = self._nearest(rgb[strange])
        return labels

    def pixels(self, labels: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Return uint8 RGB (..., 3) of classes."""
        pixels: NDArray[np.uint8] = self.rgb[labels]
        return pixels

    def _nearest(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        colours, back = np.unique(rgb, axis=0, return_inverse=True)
        apart = (colours[:, None].astype(np.int32) - self.rgb[None].astype(np.int32)) ** 2
        nearest: NDArray[np.uint8] = apart.sum(-1).argmin(1).astype(np.uint8)[back.reshape(-1)]
        return nearest


def standard_palette() -> Palette:
    """Return Tell2Design's palette."""
    return Palette(COLOURS.values())


def find_palette(pictures: Iterable[NDArray[np.uint8]]) -> Palette | None:
    """Return the palette that covers 99.9 % of the pixels of uint8 (H, W, 3) pictures, None when too many.

    The known colours come first and in their own order, so that data of one kind always has one palette.
    """
    counts: Counter[int] = Counter()
    for picture in pictures:
        codes, numbers = np.unique(_codes(picture), return_counts=True)
        counts.update(dict(zip(codes.tolist(), numbers.tolist(), strict=True)))
    total, covered = sum(counts.values()), 0
    needed: list[int] = []
    for code, number in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= _COVERED * total:
            break
        needed.append(code)
        covered += number
    known = {_code(colour): colour for colour in COLOURS.values()}
    others = sorted(set(needed) - set(known))
    if len(others) < len(needed) and len(known) + len(others) <= MOST_COLOURS:
        return Palette([*known.values(), *map(_colour, others)])
    return Palette(map(_colour, sorted(needed))) if needed and len(needed) <= MOST_COLOURS else None


def _code(colour: tuple[int, int, int]) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _colour(code: int) -> tuple[int, int, int]:
    return code >> 16, code >> 8 & 255, code & 255


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
