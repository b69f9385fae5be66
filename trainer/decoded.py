"""All pairs of a split, decoded once into files that every rank and loader process maps into memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer.errors import DataError
from trainer.pairs import Faults, Pair, decode_picture, find_pairs, read_text
from trainer.palette import Palette, find_palette
from trainer.words import encode

#: Pictures looked at to find the colours.
_PALETTE_SAMPLE = 256
_VERSION = 1
#: Caches of one folder: data change, and options such as the picture's size.
_KEPT_CACHES = 3


@dataclass(frozen=True)
class Reading:
    """How pairs become numbers; part of the cache's name."""

    image_size: int
    resize: bool
    mode: str
    text_tokens: int
    vocabulary: int


class DecodedPairs:
    """Token slots and pictures of a split by index, read from a cache folder; cheap to send to a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open()

    def _open(self) -> None:
        about = json.loads((self.folder / "about.json").read_text(encoding="utf-8"))
        #: None in RGB mode.
        self.palette = Palette(map(tuple, about["palette"])) if about["palette"] else None
        #: Of everything that is trained on: nodes with the same data have the same digest.
        self.digest: str = about["digest"]
        #: What was left out.
        self.faults: list[str] = about["faults"]
        self.stems: list[str] = about["stems"]
        self._rows = np.load(self.folder / "rows.npy")
        self._tokens = np.load(self.folder / "tokens.npy", mmap_mode="r")
        self._pictures = np.load(self.folder / "pictures.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Return ``tokens`` int32 (B, T) and ``pictures`` uint8, (B, H, W) classes or (B, H, W, 3) RGB."""
        rows = self._rows[indices]
        return {
            "tokens": torch.from_numpy(self._tokens[rows]),
            "pictures": torch.from_numpy(self._pictures[rows]),
        }

    def __getstate__(self) -> dict[str, Any]:
        # A mapped array would be pickled with all its content; a spawned process maps it itself.
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        self._open()


def decoded_pairs(
    split: Path, reading: Reading, caches: Path, palette: Palette | None = None
) -> DecodedPairs:
    """Return the split's pairs, decoding them first unless a cache of just these files is there.

    ``palette`` (of the training data) is used instead of looking for one. Raises DataError when no pair can
    be used.
    """
    faults = Faults()
    pairs = find_pairs(split, faults)
    home = caches / _hash(str(split.resolve()))[:16]
    folder = home / _fingerprint(pairs, reading, palette)[:32]
    if not (folder / "about.json").is_file():
        beside = folder.with_name(f".{uuid.uuid4().hex}")
        beside.mkdir(parents=True)
        try:
            _decode(pairs, reading, palette, faults, split, beside)
            _drop_old(home)
            beside.replace(folder)
        except OSError:
            # Nodes that share the cache decode at once; the first one's stays.
            if not (folder / "about.json").is_file():
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return DecodedPairs(folder)


def _drop_old(home: Path) -> None:
    caches = sorted(
        (path.stat().st_mtime, path) for path in home.iterdir() if (path / "about.json").is_file()
    )
    for _, path in caches[: 1 - _KEPT_CACHES]:
        shutil.rmtree(path, ignore_errors=True)  # one that is in use on Windows stays


def _decode(
    pairs: list[Pair], reading: Reading, palette: Palette | None, faults: Faults, split: Path, folder: Path
) -> None:
    size = reading.image_size
    if palette is None and reading.mode != "rgb":
        palette = find_palette(_sample(pairs, reading))
        if palette is None and reading.mode == "palette":
            raise DataError(f"{split}: the pictures have more than 32 colours", "set data.mode to rgb")
    shape = (len(pairs), size, size) if palette else (len(pairs), size, size, 3)
    pictures = np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.uint8, shape)
    tokens = np.zeros((len(pairs), reading.text_tokens), np.int32)
    usable = np.zeros(len(pairs), bool)

    def work(row: int) -> None:
        text = read_text(pairs[row], faults)
        rgb = decode_picture(pairs[row].picture, pairs[row].picture.name, size, faults, resize=reading.resize)
        if text is not None and rgb is not None:
            tokens[row] = encode(text, reading.text_tokens, reading.vocabulary)
            pictures[row] = palette.labels(rgb) if palette else rgb
            usable[row] = True

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, range(len(pairs))):
            pass
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise DataError(
            "\n".join([f"{split}: no usable pair", *faults.lines()]),
            "put texts into input_text/ and pictures of the same name into label_floorplan/, "
            f"{size}x{size} pixels (data.image_size), or set data.resize",
        )
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        digest.update(pairs[row].stem.encode())
        digest.update(tokens[row].tobytes())
        digest.update(pictures[row].tobytes())
    pictures.flush()
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "rows.npy", rows)
    about = {
        "palette": palette.colours if palette else None,
        "digest": digest.hexdigest(),
        "faults": faults.lines(),
        "stems": [pairs[row].stem for row in rows],
    }
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _sample(pairs: list[Pair], reading: Reading) -> Iterator[np.ndarray]:
    for pair in pairs[:: max(1, len(pairs) // _PALETTE_SAMPLE)]:
        rgb = decode_picture(
            pair.picture, pair.picture.name, reading.image_size, Faults(), resize=reading.resize
        )
        if rgb is not None:
            yield rgb


def _fingerprint(pairs: list[Pair], reading: Reading, palette: Palette | None) -> str:
    files = []
    for pair in pairs:
        for path in (pair.text, pair.picture):
            stat = path.stat()
            files.append((path.name, stat.st_size, stat.st_mtime_ns))
    return _hash(repr((_VERSION, reading, palette.colours if palette else None, files)))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def cache_folder() -> Path:
    """Return the user's cache folder on this system."""
    home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "floorplan-trainer"
