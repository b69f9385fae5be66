"""Pairs by number from a cache folder (trainer.cache writes it): decoded, or packed and decoded when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.pairs import Faults, decode_picture
from trainer.palette import Palette

#: Pairs of a packed file that are read in one neighbourhood.
BLOCK = 1024
#: The texts' vectors, where a pretrained encoder has read them.
STATES = "states.bin"


class Pairs:
    """Texts and pictures by number. Cheap to send to a process, which maps the files itself."""

    #: Pairs that lie together and should be read together; 0 when any order is as good.
    block = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        #: None in RGB mode.
        self.palette = Palette(map(tuple, about["palette"])) if about["palette"] else None
        #: Of everything that is trained on, however it is kept: the same data have the same digest.
        self.digest: str = about["digest"]
        #: A line for each reason why something was left out.
        self.faults: list[str] = about["faults"]
        self.stems: list[str] = about["stems"]
        self.image_size: int = about["image_size"]
        #: Word slots (N, T), also where the network reads vectors: the nearest text is found by words.
        self.tokens: NDArray[np.int32] = np.load(folder / "tokens.npy", mmap_mode="r")
        #: Numbers a token of a pretrained encoder's vectors, 0 without one.
        self.text_width: int = about["text_width"]
        self._read: NDArray[Any] = self.tokens
        if self.text_width:
            shape = (*self.tokens.shape, self.text_width)
            self._read = np.memmap(folder / STATES, np.float16, "r", shape=shape)

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, numbers: list[int]) -> dict[str, torch.Tensor]:
        """Return ``tokens`` and ``pictures``.

        Tokens are int32 (B, T) slots or float16 (B, T, text_width) vectors; pictures are uint8, (B, H, W)
        classes or (B, H, W, 3) RGB.
        """
        return {
            "tokens": torch.from_numpy(np.asarray(self._read[numbers])),
            "pictures": torch.from_numpy(self.pictures(numbers)),
        }

    def __reduce__(self) -> tuple[type[Pairs], tuple[Path]]:
        # A mapped array would be pickled with all that it holds.
        return type(self), (self.folder,)

    def pictures(self, numbers: list[int]) -> NDArray[np.uint8]:
        """Return the pictures as in a batch."""
        raise TypeError(f"{type(self).__name__} keeps no pictures")


class DecodedPairs(Pairs):
    """Pictures as they go to the device: nothing is left to do but copy."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        size = self.image_size
        shape = (len(self), size, size) if self.palette else (len(self), size, size, 3)
        self._pictures = np.memmap(folder / "pictures.bin", np.uint8, "r", shape=shape)

    def pictures(self, numbers: list[int]) -> NDArray[np.uint8]:
        """Copy the pictures out of the map."""
        return np.asarray(self._pictures[numbers])


class PackedPairs(Pairs):
    """Picture files laid end to end in a few large files, for data that decoded would not fit."""

    block = BLOCK

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        #: File, first byte and length of each picture.
        self._where: NDArray[np.int64] = np.load(folder / "where.npy")
        self._files: dict[int, Any] = {}

    def pictures(self, numbers: list[int]) -> NDArray[np.uint8]:
        """Decode the pictures; they were all decoded once when they were packed."""
        return np.stack([self._picture(*self._where[number].tolist()) for number in numbers])

    def _picture(self, file: int, start: int, length: int) -> NDArray[np.uint8]:
        if file not in self._files:
            self._files[file] = np.memmap(self.folder / packed_name(file), np.uint8, "r")
        data = self._files[file][start : start + length].tobytes()
        picture = decode_picture(data, "", self.image_size, Faults(), resize=True, palette=self.palette)
        if picture is None:
            raise OSError(f"{self.folder / packed_name(file)} is damaged at byte {start}: delete the folder")
        return picture


def packed_name(file: int) -> str:
    """Return the name of a packed file."""
    return f"pictures-{file:05d}.bin"
