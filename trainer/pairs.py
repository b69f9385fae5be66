"""Finds the pairs of a data folder, and says what is wrong with the rest, all at once and never later."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainer.palette import Palette

TEXTS = "input_text"
PICTURES = "label_floorplan"
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_EXAMPLES = 3


@dataclass(frozen=True)
class Pair:
    """A text and the picture of the same stem."""

    stem: str
    text: Path
    picture: Path


@dataclass
class Faults:
    """What is left out, by reason."""

    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, name: str) -> None:
        """Count a file under its reason."""
        self.names[reason].append(name)

    def __bool__(self) -> bool:
        return any(self.names.values())

    def lines(self) -> list[str]:
        """Return a line a reason: how many, and the first few."""
        return [
            f"{len(names)} {reason}: {', '.join(sorted(names)[:_EXAMPLES])}{', …' * (len(names) > _EXAMPLES)}"
            for reason, names in sorted(self.names.items())
        ]


def find_pairs(split: Path, faults: Faults) -> list[Pair]:
    """Return the pairs below a split's folder, sorted by stem; what has no partner goes to ``faults``."""
    texts = {path.stem: path for path in _files(split / TEXTS) if path.suffix.lower() == ".txt"}
    pictures = {
        path.stem: path for path in _files(split / PICTURES) if path.suffix.lower() in _PICTURE_SUFFIXES
    }
    for stem in texts.keys() - pictures.keys():
        faults.add("texts without a picture", texts[stem].name)
    for stem in pictures.keys() - texts.keys():
        faults.add("pictures without a text", pictures[stem].name)
    return [Pair(stem, texts[stem], pictures[stem]) for stem in sorted(texts.keys() & pictures.keys())]


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def read_text(pair: Pair, faults: Faults) -> str | None:
    """Return the text; UTF-8, or the Korean code page that Windows programs still write."""
    data = pair.text.read_bytes()
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.strip():
            return text
        faults.add("empty texts", pair.text.name)
        return None
    faults.add("texts in no known encoding", pair.text.name)
    return None


def decode_picture(
    data: bytes, name: str, size: int, faults: Faults, *, resize: bool, palette: Palette | None = None
) -> NDArray[np.uint8] | None:
    """Return uint8 RGB (size, size, 3), or with a palette classes (size, size).

    None when the picture can't be used.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.size != (size, size) and not resize:
                faults.add(
                    f"pictures that are not {size}x{size}", f"{name} ({picture.width}x{picture.height})"
                )
                return None
            if palette and picture.mode == "P" and "transparency" not in picture.info:
                # A label map that is stored as one: translate its few colours instead of all its pixels.
                own = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
                return _scaled(palette.labels(own)[np.asarray(picture)], size)
            rgb = np.asarray(picture.convert("RGB"))
    except (
        OSError,
        UnidentifiedImageError,
        ValueError,
        IndexError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        faults.add("unreadable pictures", name)
        return None
    rgb = _scaled(rgb, size)
    return palette.labels(rgb) if palette else rgb


def _scaled(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the picture at another size by its nearest pixels, so that a label map gets no new colours."""
    if picture.shape[:2] == (size, size):
        return picture
    rows, columns = (np.arange(size) * side // size for side in picture.shape[:2])
    scaled: NDArray[np.uint8] = picture[rows[:, None], columns]
    return scaled
