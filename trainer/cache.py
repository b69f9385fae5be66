"""Turns a data folder into a cache folder, once: every file is looked at here, so training meets no fault."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.pairs import Faults, Pair, decode_picture, find_pairs, read_text
from trainer.palette import Palette, find_palette
from trainer.pretrained import PretrainedText
from trainer.stores import STATES, DecodedPairs, PackedPairs, Pairs, packed_name
from trainer.words import encode

#: Pictures looked at to find the colours.
_PALETTE_SAMPLE = 256
_VERSION = 3
#: Caches of one folder: data change, and options such as the picture's size.
_KEPT_CACHES = 3
_PACKED_BYTES = 256 << 20
_CHUNK = 512
#: Texts between two lines about a pretrained encoder's progress.
_TOLD = 1024


@dataclass(frozen=True)
class Reading:
    """How pairs become numbers."""

    image_size: int
    resize: bool
    #: ``auto``, ``palette`` or ``rgb``.
    mode: str
    text_tokens: int
    vocabulary: int
    #: ``auto``, ``decoded`` or ``packed``.
    keep: str = "auto"
    limit_gb: float = 16.0
    #: Fingerprint of the pretrained text encoder; empty: hashed words.
    encoder: str = ""


def open_pairs(
    split: Path, reading: Reading, caches: Path, palette: Palette | None = None, *,
    encoder: PretrainedText | None = None, say: Callable[[str], object] = lambda text: None,
) -> Pairs:  # fmt: skip
    """Return the split's pairs, making their cache unless one of just these files is there.

    ``palette`` (of the training data) is used instead of looking for one; ``encoder`` gives the texts'
    vectors, which takes a while and is told of by ``say``. Raises DataError when no pair can be used.
    """
    if encoder is not None:
        reading = replace(reading, encoder=encoder.fingerprint)
    faults = Faults()
    pairs = find_pairs(split, faults)
    home = caches / _hash(str(split.resolve()))[:16]
    folder = home / _fingerprint(pairs, reading, palette)[:32]
    if not (folder / "about.json").is_file():
        beside = folder.with_name(f".{uuid.uuid4().hex}")
        beside.mkdir(parents=True)
        try:
            builder = _Builder(split, pairs, reading, palette, faults)
            builder.build(beside, partial(_write_states, encoder, say) if encoder else None)
            _drop_old(home)
            beside.replace(folder)
        except OSError:
            # Nodes that share the cache make it at once; the first one's stays.
            if not (folder / "about.json").is_file():
                raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return (DecodedPairs if (folder / "pictures.bin").is_file() else PackedPairs)(folder)


class _Builder:
    def __init__(
        self, split: Path, pairs: list[Pair], reading: Reading, palette: Palette | None, faults: Faults
    ) -> None:
        self._split, self._pairs, self._reading, self._faults = split, pairs, reading, faults
        self._palette = palette
        if palette is None and reading.mode != "rgb":
            self._palette = find_palette(self._some_pictures())
            if self._palette is None and reading.mode == "palette" and pairs:
                raise DataError(f"{split}: the pictures have more than 32 colours", "set data.mode to rgb")

    def build(self, folder: Path, write_states: Callable[[Path, list[str]], int] | None) -> None:
        """Decode everything in order; write what is kept, and a digest of what it means."""
        # The fingerprint stands for the vectors: GPUs of two kinds round them differently.
        digest = hashlib.blake2b(self._reading.encoder.encode(), digest_size=16)
        stems, texts, tokens, writer = [], [], [], self._writer(folder)
        with writer:
            for pair, text, slots, picture, data in self._usable():
                stems.append(pair.stem)
                tokens.append(slots)
                if write_states:
                    texts.append(text)
                digest.update(pair.stem.encode() + slots.tobytes() + picture.tobytes())
                writer.add(picture, data)
        if not stems:
            size = self._reading.image_size
            raise DataError(
                "\n".join([f"{self._split}: no usable pair", *self._faults.lines()]),
                "put texts into input_text/ and pictures of the same name into label_floorplan/, "
                f"{size}x{size} pixels (data.image_size), or set data.resize",
            )
        np.save(folder / "tokens.npy", np.stack(tokens))
        text_width = write_states(folder, texts) if write_states else 0
        about = {
            "palette": self._palette.colours if self._palette else None,
            "image_size": self._reading.image_size,
            "text_width": text_width,
            "digest": digest.hexdigest(),
            "faults": self._faults.lines(),
            "stems": stems,
        }
        (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")

    def _usable(self) -> Iterator[tuple[Pair, str, NDArray[np.int32], NDArray[np.uint8], bytes]]:
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            for at in range(0, len(self._pairs), _CHUNK):
                chunk = self._pairs[at : at + _CHUNK]
                for pair, read in zip(chunk, pool.map(self._read, chunk), strict=True):
                    if read is not None:
                        yield pair, *read

    def _read(self, pair: Pair) -> tuple[str, NDArray[np.int32], NDArray[np.uint8], bytes] | None:
        reading = self._reading
        text = read_text(pair, self._faults)
        data = pair.picture.read_bytes()
        size, name = reading.image_size, pair.picture.name
        picture = decode_picture(data, name, size, self._faults, resize=reading.resize, palette=self._palette)
        if text is None or picture is None:
            return None
        return text, encode(text, reading.text_tokens, reading.vocabulary), picture, data

    def _writer(self, folder: Path) -> _Decoded | _Packed:
        size = len(self._pairs) * self._reading.image_size**2 * (1 if self._palette else 3)
        fits = size <= self._reading.limit_gb * 1e9
        if self._reading.keep == "decoded" or (self._reading.keep == "auto" and fits):
            return _Decoded(folder)
        return _Packed(folder)

    def _some_pictures(self) -> Iterator[NDArray[np.uint8]]:
        reading = self._reading
        for pair in self._pairs[:: max(1, len(self._pairs) // _PALETTE_SAMPLE)]:
            rgb = decode_picture(
                pair.picture.read_bytes(), "", reading.image_size, Faults(), resize=reading.resize
            )
            if rgb is not None:
                yield rgb


class _Decoded:
    def __init__(self, folder: Path) -> None:
        self._file = (folder / "pictures.bin").open("wb")

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, picture: NDArray[np.uint8], data: bytes) -> None:
        self._file.write(picture.tobytes())


class _Packed:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: list[tuple[int, int, int]] = []
        self._number, self._at = 0, 0
        self._file: IO[bytes] = (folder / packed_name(0)).open("wb")

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        self._file.close()
        np.save(self._folder / "where.npy", np.array(self._where, np.int64))

    def add(self, picture: NDArray[np.uint8], data: bytes) -> None:
        if self._at + len(data) > _PACKED_BYTES:
            self._file.close()
            self._number, self._at = self._number + 1, 0
            self._file = (self._folder / packed_name(self._number)).open("wb")
        self._file.write(data)
        self._where.append((self._number, self._at, len(data)))
        self._at += len(data)


def _write_states(
    encoder: PretrainedText, say: Callable[[str], object], folder: Path, texts: list[str]
) -> int:
    """Write the texts' vectors; return their width. Raises DataError when the disk has no room for them."""
    size, free = encoder.size(len(texts)), shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"the vectors of {len(texts)} texts take {size / 1e9:.1f} GB, and {folder.parent} has only "
            f"{free / 1e9:.1f} GB free",
            "set data.cache_folder to a larger disk, lower data.text_tokens, or take a narrower encoder",
        )
    with (folder / STATES).open("wb") as file:
        for done, states in encoder.all_states(texts):
            file.write(states.numpy().tobytes())
            if done % _TOLD == 0 or done == len(texts):
                say(f"{encoder.name}: {done} of {len(texts)} texts encoded")
    return encoder.width


def _drop_old(home: Path) -> None:
    caches = sorted(
        (path.stat().st_mtime, path) for path in home.iterdir() if (path / "about.json").is_file()
    )
    for _, path in caches[: 1 - _KEPT_CACHES]:
        shutil.rmtree(path, ignore_errors=True)  # one that is in use on Windows stays


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
