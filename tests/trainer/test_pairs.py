from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.cache import Reading, open_pairs
from trainer.errors import DataError
from trainer.pairs import Faults, find_pairs
from trainer.palette import find_palette, standard_palette
from trainer.sample_data import write
from trainer.stores import DecodedPairs, PackedPairs, Pairs

READING = Reading(32, False, "auto", 24, 256)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    write(tmp_path / "data", 10, 32, 1)
    return tmp_path / "data/train"


def opened(split: Path, **changes: object) -> Pairs:
    return open_pairs(split, Reading(**{**vars(READING), **changes}), split.parent.parent / "caches")


def test_what_can_not_be_used_is_told_by_reason_and_left_out(split: Path) -> None:
    texts, pictures = split / "input_text", split / "label_floorplan"
    (texts / "00000.txt").unlink()
    (pictures / "00001.png").unlink()
    (texts / "00002.txt").write_text(" \n", encoding="utf-8")
    (pictures / "00003.png").write_bytes(b"no picture")
    data = (pictures / "00004.png").read_bytes()
    (pictures / "00004.png").write_bytes(data[: len(data) // 2])
    Image.new("RGB", (40, 32)).save(pictures / "00005.png")
    (texts / "00006.txt").write_bytes("거실 남쪽".encode("cp949"))
    pairs = opened(split)
    assert pairs.stems == ["00006", "00007", "00008", "00009"]
    assert pairs.faults == [
        "1 empty texts: 00002.txt",
        "1 pictures that are not 32x32: 00005.png (40x32)",
        "1 pictures without a text: 00000.png",
        "1 texts without a picture: 00001.txt",
        "2 unreadable pictures: 00003.png, 00004.png",
    ]
    # The Korean code page is read: four characters of text.
    assert np.count_nonzero(pairs[[0]]["tokens"]) == 4


def test_nothing_usable_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "train/input_text").mkdir(parents=True)
    (tmp_path / "train/input_text/a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 texts without a picture: a\.txt"):
        opened(tmp_path / "train")


def test_packed_and_decoded_data_are_the_same(split: Path) -> None:
    decoded, packed = opened(split, keep="decoded"), opened(split, keep="packed")
    assert isinstance(decoded, DecodedPairs)
    assert isinstance(packed, PackedPairs)
    assert decoded.digest == packed.digest
    for name in ("tokens", "pictures"):
        assert decoded[[7, 0, 3]][name].equal(packed[[7, 0, 3]][name])


def test_auto_packs_what_would_not_fit(split: Path) -> None:
    assert isinstance(opened(split, limit_gb=1e-6), PackedPairs)
    assert isinstance(opened(split, limit_gb=1.0), DecodedPairs)


def test_a_change_of_data_is_seen_and_changes_the_digest(split: Path) -> None:
    before = opened(split)
    assert opened(split).folder == before.folder
    (split / "input_text/00003.txt").write_text("a storage", encoding="utf-8")
    after = opened(split)
    assert after.folder != before.folder
    assert after.digest != before.digest


@pytest.mark.parametrize("keep", ["decoded", "packed"])
def test_a_spawned_process_gets_a_path_instead_of_the_data(split: Path, keep: str) -> None:
    pairs = opened(split, keep=keep)
    sent = pickle.dumps(pairs)
    assert len(sent) < 1000
    assert pickle.loads(sent)[[1]]["pictures"].equal(pairs[[1]]["pictures"])


def test_pictures_of_many_colours_are_kept_as_rgb(split: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    for path in (split / "label_floorplan").iterdir():
        Image.fromarray(noise).save(path)
    pairs = opened(split)
    assert pairs.palette is None
    assert pairs[[0]]["pictures"].shape == (1, 32, 32, 3)
    with pytest.raises(DataError, match="more than 32 colours"):
        opened(split, mode="palette")


def test_resized_label_maps_get_no_new_colours(split: Path) -> None:
    pairs = opened(split, image_size=48, resize=True)
    assert pairs.palette is not None
    assert pairs.palette.colours == standard_palette().colours
    assert pairs[[0]]["pictures"].shape == (1, 48, 48)


def test_a_colour_off_the_palette_takes_the_nearest() -> None:
    palette = standard_palette()
    rgb = np.array([[[250, 251, 252], [3, 0, 9], [240, 128, 128]]], np.uint8)
    assert palette.labels(rgb).tolist() == [[0, 1, 4]]
    assert palette.pixels(palette.labels(rgb))[0, 0].tolist() == [255, 255, 255]


def test_other_palettes_are_found() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:5] = (1, 2, 3)
    found = find_palette([picture])
    assert found is not None
    assert found.labels(picture)[0, 0] != found.labels(picture)[9, 9]


def test_hidden_and_strange_files_are_no_pairs(split: Path) -> None:
    (split / "input_text/notes.md").touch()
    assert len(find_pairs(split, Faults())) == 10
