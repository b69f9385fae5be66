from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.ranks import ROOT
from trainer import sample_data
from trainer.palette import COLOURS, standard_palette


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.is_file():
            whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def test_the_same_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    for name in ("one", "two"):
        sample_data.write(tmp_path / name, 12, 32, 5)
    sample_data.write(tmp_path / "other", 12, 32, 6)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")
    # Of Python 3.11 on Linux: a change here means that nodes of different versions would differ.
    assert digest(tmp_path / "one")[:16] == "8844cb6f26de7e0b"


def test_pairs_lie_in_the_users_layout_with_the_palette(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "trainer.sample_data", "--out", "data", "--count", "9", "--size", "48"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.stdout == "data\n"
    texts = sorted((tmp_path / "data/train/input_text").iterdir())
    pictures = sorted((tmp_path / "data/train/label_floorplan").iterdir())
    assert [path.stem for path in texts] == [path.stem for path in pictures]
    assert len(texts) == 9
    assert len(list((tmp_path / "data/val/input_text").iterdir())) == 1
    known = {tuple(colour) for colour in standard_palette().rgb.tolist()}
    for path in pictures:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        assert rgb.shape == (48, 48, 3)
        assert {tuple(colour) for colour in rgb.reshape(-1, 3).tolist()} <= known
    assert "거실" in texts[3].read_text(encoding="utf-8")
    assert "living room" in texts[0].read_text(encoding="utf-8")


def test_the_writers_palette_is_the_readers() -> None:
    assert tuple(COLOURS.values()) == sample_data.PALETTE


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(FileExistsError):
        sample_data.write(tmp_path, 2, 32, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
