from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.training_runs import ROOT
from trainer.dataset import synthetic
from trainer.dataset.palette import COLOURS, standard_palette


def digest(folder: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.is_file():
            content.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return content.hexdigest()


def test_the_same_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    for name in ("one", "two"):
        synthetic.write_pairs(tmp_path / name, 12, 32, 5)
    synthetic.write_pairs(tmp_path / "other", 12, 32, 6)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")
    # From Python 3.11 on Linux. If it changes, nodes with different versions get different data.
    assert digest(tmp_path / "one")[:16] == "8844cb6f26de7e0b"


def test_the_command_writes_pairs_in_the_layout_and_palette_of_real_data(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "trainer.sample_data", "--out", "data", "--count", "9", "--size", "48"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.stdout == "data\n"
    texts = sorted((tmp_path / "data/train/input_text").iterdir())
    images = sorted((tmp_path / "data/train/label_floorplan").iterdir())
    assert [path.stem for path in texts] == [path.stem for path in images]
    assert len(texts) == 9
    assert len(list((tmp_path / "data/val/input_text").iterdir())) == 1
    colours = {tuple(colour) for colour in standard_palette().rgb.tolist()}
    for path in images:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        assert rgb.shape == (48, 48, 3)
        assert {tuple(colour) for colour in rgb.reshape(-1, 3).tolist()} <= colours
    assert "거실" in texts[3].read_text(encoding="utf-8")
    assert "living room" in texts[0].read_text(encoding="utf-8")


def test_synthetic_images_have_the_standard_palette() -> None:
    assert tuple(COLOURS.values()) == synthetic.PALETTE


def test_generating_data_imports_only_the_standard_library(tmp_path: Path) -> None:
    command = "import sys, trainer.sample_data; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", command],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert not {name.split(".")[0] for name in ended.stdout.split()} & {"numpy", "PIL", "torch", "yaml"}


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(FileExistsError):
        synthetic.write_pairs(tmp_path, 2, 32, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
