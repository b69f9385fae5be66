"""Datasets of pairs in a cache folder (written by trainer.dataset.cache): decoded images, or packed files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.dataset.pair_files import SkippedFiles, decode_image
from trainer.dataset.palette import Palette

#: Pairs of a packed file that are read close together.
BLOCK_SIZE = 1024
#: The file of the texts' states, if a pretrained encoder is used.
STATES_FILE = "states.bin"


class PairDataset:
    """Texts and images by index. A pickle holds the folder's path; its receiver maps the files."""

    #: Pairs that are stored together and should be read together; 0 if any order is equally fast.
    block_size = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        #: None in RGB mode.
        self.palette = Palette(map(tuple, about["palette"])) if about["palette"] else None
        #: Digest of the content; it does not depend on how the content is stored.
        self.digest: str = about["digest"]
        #: One line per reason for which files were skipped.
        self.skipped: list[str] = about["faults"]
        self.stems: list[str] = about["stems"]
        self.image_size: int = about["image_size"]
        self._token_ids: NDArray[np.int32] = np.load(folder / "tokens.npy", mmap_mode="r")
        #: Width of the states of a pretrained encoder, 0 without one.
        self.text_width: int = about["text_width"]
        self._model_input: NDArray[Any] = self._token_ids
        if self.text_width:
            shape = (*self._token_ids.shape, self.text_width)
            self._model_input = np.memmap(folder / STATES_FILE, np.float16, "r", shape=shape)

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Return a batch of ``tokens`` and ``images``.

        Tokens are int32 ids (B, T) or float16 states (B, T, text_width); images are uint8, classes (B, H, W)
        or RGB (B, H, W, 3).
        """
        return {
            "tokens": torch.from_numpy(np.asarray(self._model_input[indices])),
            "images": torch.from_numpy(self.images(indices)),
        }

    @property
    def token_ids(self) -> NDArray[np.int32]:
        """Token ids (N, T), also with a pretrained encoder: the nearest text is found by its words."""
        return self._token_ids

    def __reduce__(self) -> tuple[type[PairDataset], tuple[Any, ...]]:
        # A memory-mapped array would be pickled with its whole content.
        return type(self), (self.folder,)

    def images(self, indices: list[int]) -> NDArray[np.uint8]:
        """Return the images as in a batch."""
        raise NotImplementedError


class DecodedPairDataset(PairDataset):
    """Images that are stored decoded, as the device needs them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        size = self.image_size
        shape = (len(self), size, size) if self.palette else (len(self), size, size, 3)
        self._images = np.memmap(folder / "pictures.bin", np.uint8, "r", shape=shape)

    def images(self, indices: list[int]) -> NDArray[np.uint8]:
        """Copy the images from the memory map."""
        return np.asarray(self._images[indices])


class PackedPairDataset(PairDataset):
    """Image files that are concatenated into a few large files, for data too large to be stored decoded."""

    block_size = BLOCK_SIZE

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        #: File number, first byte and length of each image.
        self._locations: NDArray[np.int64] = np.load(folder / "where.npy")
        self._files: dict[int, Any] = {}

    def images(self, indices: list[int]) -> NDArray[np.uint8]:
        """Decode the images; all of them could be decoded when they were packed."""
        return np.stack([self._decode(*self._locations[index].tolist()) for index in indices])

    def _decode(self, file: int, start: int, length: int) -> NDArray[np.uint8]:
        if file not in self._files:
            self._files[file] = np.memmap(self.folder / packed_file_name(file), np.uint8, "r")
        data = self._files[file][start : start + length].tobytes()
        image = decode_image(data, "", self.image_size, SkippedFiles(), resize=True, palette=self.palette)
        if image is None:
            path = self.folder / packed_file_name(file)
            raise OSError(f"{path} is damaged at byte {start}: delete its folder")
        return image


class PairSubset(PairDataset):
    """Some pairs of a dataset, in its order; its palette and digest are those of the whole."""

    def __init__(self, dataset: PairDataset, rows: NDArray[np.int64]) -> None:
        super().__init__(dataset.folder)
        self._dataset, self._rows = dataset, rows
        self.stems = [self.stems[row] for row in rows.tolist()]
        # Rows ascend, so pairs that are stored together stay together.
        self.block_size = dataset.block_size

    @property
    def token_ids(self) -> NDArray[np.int32]:
        """Copy the token ids of these pairs."""
        return np.asarray(self._dataset.token_ids[self._rows])

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Return a batch as the whole dataset does."""
        return self._dataset[self._rows[indices].tolist()]

    def __reduce__(self) -> tuple[type[PairDataset], tuple[Any, ...]]:
        return type(self), (self._dataset, self._rows)

    def images(self, indices: list[int]) -> NDArray[np.uint8]:
        """Return the images of these pairs."""
        return self._dataset.images(self._rows[indices].tolist())


def packed_file_name(number: int) -> str:
    """Return the name of a packed file."""
    return f"pictures-{number:05d}.bin"
