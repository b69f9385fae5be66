from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.dataset.cache import PreprocessingOptions, open_dataset
from trainer.dataset.pair_dataset import DecodedPairDataset, PackedPairDataset, PairDataset
from trainer.dataset.pair_files import SkippedFiles, find_pairs
from trainer.dataset.palette import standard_palette
from trainer.dataset.synthetic import write_pairs
from trainer.errors import DataError

OPTIONS = PreprocessingOptions(32, False, "auto", 24, 256)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    write_pairs(tmp_path / "data", 10, 32, 1)
    return tmp_path / "data/train"


def open_cached(split: Path, **changes: object) -> PairDataset:
    options = PreprocessingOptions(**{**vars(OPTIONS), **changes})
    return open_dataset(split, options, split.parent.parent / "caches")


def test_unusable_files_are_skipped_and_listed_by_reason(split: Path) -> None:
    texts, images = split / "input_text", split / "label_floorplan"
    (texts / "00000.txt").unlink()
    (images / "00001.png").unlink()
    (texts / "00002.txt").write_text(" \n", encoding="utf-8")
    (images / "00003.png").write_bytes(b"no image")
    data = (images / "00004.png").read_bytes()
    (images / "00004.png").write_bytes(data[: len(data) // 2])
    Image.new("RGB", (40, 32)).save(images / "00005.png")
    (texts / "00006.txt").write_bytes("거실 남쪽".encode("cp949"))
    dataset = open_cached(split)
    assert dataset.stems == ["00006", "00007", "00008", "00009"]
    assert dataset.skipped == [
        "1 empty texts: 00002.txt",
        "1 images that are not 32x32: 00005.png (40x32)",
        "1 images without a text: 00000.png",
        "1 texts without an image: 00001.txt",
        "2 unreadable images: 00003.png, 00004.png",
    ]
    # The text in the Korean code page was read: it has four characters.
    assert np.count_nonzero(dataset[[0]]["tokens"]) == 4


def test_a_folder_without_a_usable_pair_is_an_error_that_lists_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "train/input_text").mkdir(parents=True)
    (tmp_path / "train/input_text/a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 texts without an image: a\.txt"):
        open_cached(tmp_path / "train")


def test_packed_and_decoded_datasets_have_the_same_content_and_digest(split: Path) -> None:
    decoded, packed = open_cached(split, storage="decoded"), open_cached(split, storage="packed")
    assert isinstance(decoded, DecodedPairDataset)
    assert isinstance(packed, PackedPairDataset)
    assert decoded.digest == packed.digest
    for name in ("tokens", "images"):
        assert decoded[[7, 0, 3]][name].equal(packed[[7, 0, 3]][name])


def test_auto_packs_images_that_exceed_the_limit_when_decoded(split: Path) -> None:
    assert isinstance(open_cached(split, limit_gb=1e-6), PackedPairDataset)
    assert isinstance(open_cached(split, limit_gb=1.0), DecodedPairDataset)


def test_changed_data_get_a_new_cache_and_digest(split: Path) -> None:
    before = open_cached(split)
    assert open_cached(split).folder == before.folder
    (split / "input_text/00003.txt").write_text("a storage", encoding="utf-8")
    after = open_cached(split)
    assert after.folder != before.folder
    assert after.digest != before.digest


def test_old_caches_are_deleted_but_not_the_builds_of_other_ranks(split: Path) -> None:
    open_cached(split)
    (home,) = (split.parent.parent / "caches").iterdir()
    builds = [home / f".build-{number}" for number in range(4)]
    for build in builds:
        build.mkdir()
        (build / "about.json").write_text("{}", encoding="utf-8")
    killed = home / ".killed"
    killed.mkdir()
    os.utime(killed, (0, 0))
    for tokens in (8, 12, 16):
        open_cached(split, text_tokens=tokens)
    assert all(build.is_dir() for build in builds)
    assert not killed.exists()
    assert len([path for path in home.iterdir() if not path.name.startswith(".")]) == 3


def test_the_key_of_existing_caches_does_not_change() -> None:
    assert OPTIONS.cache_key() == (
        "Reading(image_size=32, resize=False, mode='auto', text_tokens=24, vocabulary=256, keep='auto', "
        "limit_gb=16.0, encoder='')"
    )


@pytest.mark.parametrize("storage", ["decoded", "packed"])
def test_a_pickled_dataset_holds_a_path_instead_of_the_data(split: Path, storage: str) -> None:
    dataset = open_cached(split, storage=storage)
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1000
    assert pickle.loads(pickled)[[1]]["images"].equal(dataset[[1]]["images"])


def test_images_with_many_colours_are_stored_as_rgb(split: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    for path in (split / "label_floorplan").iterdir():
        Image.fromarray(noise).save(path)
    dataset = open_cached(split)
    assert dataset.palette is None
    assert dataset[[0]]["images"].shape == (1, 32, 32, 3)
    with pytest.raises(DataError, match="more than 32 colours"):
        open_cached(split, mode="palette")


def test_resizing_adds_no_colours_to_label_maps(split: Path) -> None:
    dataset = open_cached(split, image_size=48, resize=True)
    assert dataset.palette is not None
    assert dataset.palette.colours == standard_palette().colours
    assert dataset[[0]]["images"].shape == (1, 48, 48)


def test_other_files_in_the_folders_are_ignored(split: Path) -> None:
    (split / "input_text/notes.md").touch()
    assert len(find_pairs(split, SkippedFiles())) == 10
