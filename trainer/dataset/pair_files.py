"""Finds and reads the pairs of a data folder, and collects the files that cannot be used."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainer.dataset.palette import Palette

TEXT_FOLDER = "input_text"
IMAGE_FOLDER = "label_floorplan"
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
#: File names that a summary line shows.
_SHOWN_NAMES = 3


@dataclass(frozen=True)
class Pair:
    """A text and the image of the same stem."""

    stem: str
    text: Path
    image: Path


@dataclass
class SkippedFiles:
    """The names of files that cannot be used, by reason."""

    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, name: str) -> None:
        """Add a file under its reason."""
        self.names[reason].append(name)

    def summary(self) -> list[str]:
        """Return one line per reason: the number of files and the first few names."""
        return [
            f"{len(names)} {reason}: {', '.join(sorted(names)[:_SHOWN_NAMES])}"
            f"{', …' * (len(names) > _SHOWN_NAMES)}"
            for reason, names in sorted(self.names.items())
        ]


def find_pairs(split: Path, skipped: SkippedFiles) -> list[Pair]:
    """Return the pairs of a split, sorted by stem; files without a partner are added to ``skipped``."""
    texts = {path.stem: path for path in _entries(split / TEXT_FOLDER) if path.suffix.lower() == ".txt"}
    images = {
        path.stem: path for path in _entries(split / IMAGE_FOLDER) if path.suffix.lower() in _IMAGE_SUFFIXES
    }
    for stem in texts.keys() - images.keys():
        skipped.add("texts without an image", texts[stem].name)
    for stem in images.keys() - texts.keys():
        skipped.add("images without a text", images[stem].name)
    return [Pair(stem, texts[stem], images[stem]) for stem in sorted(texts.keys() & images.keys())]


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def read_text(pair: Pair, skipped: SkippedFiles) -> str | None:
    """Return the text, decoded as UTF-8 or as the Korean code page that Windows programs still write."""
    data = pair.text.read_bytes()
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.strip():
            return text
        skipped.add("empty texts", pair.text.name)
        return None
    skipped.add("texts in an unknown encoding", pair.text.name)
    return None


def decode_image(
    data: bytes, name: str, size: int, skipped: SkippedFiles, *, resize: bool, palette: Palette | None = None
) -> NDArray[np.uint8] | None:
    """Return uint8 RGB (size, size, 3), or with a palette classes (size, size); None if it cannot be used."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.size != (size, size) and not resize:
                skipped.add(f"images that are not {size}x{size}", f"{name} ({image.width}x{image.height})")
                return None
            if palette and image.mode == "P" and "transparency" not in image.info:
                # The file is a label map already: converting its few colours is faster than all its pixels.
                own_palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
                return _resize(palette.to_labels(own_palette)[np.asarray(image)], size)
            rgb = np.asarray(image.convert("RGB"))
    except (
        OSError,
        UnidentifiedImageError,
        ValueError,
        IndexError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        skipped.add("unreadable images", name)
        return None
    rgb = _resize(rgb, size)
    return palette.to_labels(rgb) if palette else rgb


def _resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return the image resized by nearest neighbour, so that a label map gets no new colours."""
    if image.shape[:2] == (size, size):
        return image
    rows, columns = (np.arange(size) * side // size for side in image.shape[:2])
    resized: NDArray[np.uint8] = image[rows[:, None], columns]
    return resized
