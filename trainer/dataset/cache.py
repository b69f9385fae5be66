"""Preprocesses a data folder into a cache folder once, and finds faulty files before training starts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.pair_dataset import (
    STATES_FILE,
    DecodedPairDataset,
    PackedPairDataset,
    PairDataset,
    packed_file_name,
)
from trainer.dataset.pair_files import Pair, SkippedFiles, decode_image, find_pairs, read_text
from trainer.dataset.palette import Palette, find_palette
from trainer.dataset.pretrained_encoder import PretrainedTextEncoder
from trainer.dataset.tokenizer import encode_text
from trainer.errors import DataError

#: Images that are searched for the palette.
_PALETTE_SAMPLE = 256
_VERSION = 3
#: Caches to keep per data folder; the data and options such as the image size change.
_MAX_CACHES = 3
#: Seconds after which a build that has not changed is one of a killed process.
_ABANDONED_AFTER = 24 * 3600.0
_PACKED_FILE_BYTES = 256 << 20
_CHUNK = 512
#: Texts between two progress lines of a pretrained encoder.
_PROGRESS_INTERVAL = 1024


@dataclass(frozen=True)
class PreprocessingOptions:
    """How files become arrays."""

    image_size: int
    resize: bool
    #: ``auto``, ``palette`` or ``rgb``.
    mode: str
    text_tokens: int
    vocabulary: int
    #: ``auto``, ``decoded`` or ``packed``.
    storage: str = "auto"
    limit_gb: float = 16.0
    #: Fingerprint of the pretrained text encoder; empty: hashed words.
    encoder: str = ""

    def cache_key(self) -> str:
        """Return the part of a cache's key that these options determine.

        The text must not change, or existing caches would be rebuilt under another key.
        """
        return (
            f"Reading(image_size={self.image_size}, resize={self.resize}, mode={self.mode!r}, "
            f"text_tokens={self.text_tokens}, vocabulary={self.vocabulary}, keep={self.storage!r}, "
            f"limit_gb={self.limit_gb}, encoder={self.encoder!r})"
        )


def open_dataset(
    split: Path, options: PreprocessingOptions, caches: Path, palette: Palette | None = None, *,
    encoder: PretrainedTextEncoder | None = None, log: Callable[[str], object] = lambda text: None,
) -> PairDataset:  # fmt: skip
    """Return the split's dataset; builds its cache unless one of the same files and options exists.

    ``palette``, that of the training data, is used instead of searching for one. ``encoder`` encodes the
    texts, which takes a while; its progress goes to ``log``. Raises DataError if no pair can be used.
    """
    if encoder is not None:
        options = replace(options, encoder=encoder.fingerprint)
    skipped = SkippedFiles()
    pairs = find_pairs(split, skipped)
    home = caches / _hash(str(split.resolve()))[:16]
    folder = home / _fingerprint(pairs, options, palette)[:32]
    if not (folder / "about.json").is_file():
        temporary = folder.with_name(f".{uuid.uuid4().hex}")
        temporary.mkdir(parents=True)
        try:
            builder = _CacheBuilder(split, pairs, options, palette, skipped)
            builder.build(temporary, partial(_write_states, encoder, log) if encoder else None)
            _delete_old_caches(home)
            temporary.replace(folder)
        except OSError:
            # Nodes that share the cache folder build it concurrently; the first one is kept.
            if not (folder / "about.json").is_file():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return (DecodedPairDataset if (folder / "pictures.bin").is_file() else PackedPairDataset)(folder)


class _CacheBuilder:
    def __init__(
        self,
        split: Path,
        pairs: list[Pair],
        options: PreprocessingOptions,
        palette: Palette | None,
        skipped: SkippedFiles,
    ) -> None:
        self._split, self._pairs, self._options, self._skipped = split, pairs, options, skipped
        self._palette = palette
        if palette is None and options.mode != "rgb":
            self._palette = find_palette(self._sample_images())
            if self._palette is None and options.mode == "palette" and pairs:
                raise DataError(f"{split}: the images have more than 32 colours", "set data.mode to rgb")

    def build(self, folder: Path, write_states: Callable[[Path, list[str]], int] | None) -> None:
        """Decode all pairs in order, and write them with a digest of their content."""
        # The encoder's fingerprint stands for the states: different GPUs round them differently.
        digest = hashlib.blake2b(self._options.encoder.encode(), digest_size=16)
        stems, texts, token_ids, writer = [], [], [], self._image_writer(folder)
        with writer:
            for pair, text, ids, image, data in self._usable_pairs():
                stems.append(pair.stem)
                token_ids.append(ids)
                if write_states:
                    texts.append(text)
                digest.update(pair.stem.encode() + ids.tobytes() + image.tobytes())
                writer.add(image, data)
        if not stems:
            size = self._options.image_size
            raise DataError(
                "\n".join([f"{self._split}: no usable pair", *self._skipped.summary()]),
                "put texts into input_text/ and images of the same name into label_floorplan/, "
                f"{size}x{size} pixels (data.image_size), or set data.resize",
            )
        np.save(folder / "tokens.npy", np.stack(token_ids))
        text_width = write_states(folder, texts) if write_states else 0
        about = {
            "palette": self._palette.colours if self._palette else None,
            "image_size": self._options.image_size,
            "text_width": text_width,
            "digest": digest.hexdigest(),
            "faults": self._skipped.summary(),
            "stems": stems,
        }
        (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")

    def _usable_pairs(self) -> Iterator[tuple[Pair, str, NDArray[np.int32], NDArray[np.uint8], bytes]]:
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            for start in range(0, len(self._pairs), _CHUNK):
                chunk = self._pairs[start : start + _CHUNK]
                for pair, content in zip(chunk, pool.map(self._read, chunk), strict=True):
                    if content is not None:
                        yield pair, *content

    def _read(self, pair: Pair) -> tuple[str, NDArray[np.int32], NDArray[np.uint8], bytes] | None:
        options = self._options
        text = read_text(pair, self._skipped)
        data = pair.image.read_bytes()
        size, name = options.image_size, pair.image.name
        image = decode_image(data, name, size, self._skipped, resize=options.resize, palette=self._palette)
        if text is None or image is None:
            return None
        return text, encode_text(text, options.text_tokens, options.vocabulary), image, data

    def _image_writer(self, folder: Path) -> _DecodedWriter | _PackedWriter:
        size = len(self._pairs) * self._options.image_size**2 * (1 if self._palette else 3)
        fits = size <= self._options.limit_gb * 1e9
        if self._options.storage == "decoded" or (self._options.storage == "auto" and fits):
            return _DecodedWriter(folder)
        return _PackedWriter(folder)

    def _sample_images(self) -> Iterator[NDArray[np.uint8]]:
        options = self._options
        for pair in self._pairs[:: max(1, len(self._pairs) // _PALETTE_SAMPLE)]:
            rgb = decode_image(
                pair.image.read_bytes(), "", options.image_size, SkippedFiles(), resize=options.resize
            )
            if rgb is not None:
                yield rgb


class _DecodedWriter:
    def __init__(self, folder: Path) -> None:
        self._file = (folder / "pictures.bin").open("wb")

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, image: NDArray[np.uint8], data: bytes) -> None:
        self._file.write(image.tobytes())


class _PackedWriter:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locations: list[tuple[int, int, int]] = []
        self._number, self._size = 0, 0
        self._file: IO[bytes] = (folder / packed_file_name(0)).open("wb")

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        self._file.close()
        np.save(self._folder / "where.npy", np.array(self._locations, np.int64))

    def add(self, image: NDArray[np.uint8], data: bytes) -> None:
        if self._size + len(data) > _PACKED_FILE_BYTES:
            self._file.close()
            self._number, self._size = self._number + 1, 0
            self._file = (self._folder / packed_file_name(self._number)).open("wb")
        self._file.write(data)
        self._locations.append((self._number, self._size, len(data)))
        self._size += len(data)


def _write_states(
    encoder: PretrainedTextEncoder, log: Callable[[str], object], folder: Path, texts: list[str]
) -> int:
    """Write the states of the texts and return their width; raises DataError if the disk is too small."""
    size, free = encoder.states_size(len(texts)), shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"the encoded texts of {len(texts)} pairs take {size / 1e9:.1f} GB, and {folder.parent} has only "
            f"{free / 1e9:.1f} GB free",
            "set data.cache_folder to a larger disk, lower data.text_tokens, or choose a smaller encoder",
        )
    with (folder / STATES_FILE).open("wb") as file:
        for done, states in encoder.encode_in_batches(texts):
            file.write(states.numpy().tobytes())
            if done % _PROGRESS_INTERVAL == 0 or done == len(texts):
                log(f"{encoder.name}: {done} of {len(texts)} texts encoded")
    return encoder.width


def _delete_old_caches(home: Path) -> None:
    """Delete all but the newest caches, and builds that were killed.

    A folder whose name begins with a dot is a build, perhaps one of another rank at this moment.
    """
    caches: list[tuple[float, Path]] = []
    builds: list[tuple[float, Path]] = []
    for path in home.iterdir():
        try:
            changed = path.stat().st_mtime
        except FileNotFoundError:  # another rank has just finished or deleted it
            continue
        (builds if path.name.startswith(".") else caches).append((changed, path))
    abandoned = [path for changed, path in builds if changed < time.time() - _ABANDONED_AFTER]
    for path in [*abandoned, *(path for _, path in sorted(caches)[: 1 - _MAX_CACHES])]:
        shutil.rmtree(path, ignore_errors=True)  # fails on Windows while the cache is in use


def _fingerprint(pairs: list[Pair], options: PreprocessingOptions, palette: Palette | None) -> str:
    files = []
    for pair in pairs:
        for path in (pair.text, pair.image):
            stat = path.stat()
            files.append((path.name, stat.st_size, stat.st_mtime_ns))
    colours = palette.colours if palette else None
    return _hash(f"({_VERSION}, {options.cache_key()}, {colours!r}, {files!r})")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def default_cache_folder() -> Path:
    """Return the user's cache folder on this system."""
    home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "floorplan-trainer"
