"""A file is replaced as a whole: a failure leaves the old contents, and no other file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fleet.file_replacement import replace_file, replace_user_file


def test_a_private_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "tally.json"
    path.write_text("old", "utf-8")
    path.chmod(0o644)
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_users_file_keeps_its_mode_and_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "configs" / "nodes.yaml"
    replace_user_file(path, "nodes: []\r\n")
    path.chmod(0o640)
    replace_user_file(path, "nodes: []\n# 한글\n")
    assert path.read_bytes() == "nodes: []\n# 한글\n".encode()
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_failure_leaves_no_other_file(tmp_path: Path) -> None:
    folder = tmp_path / "a folder has the name"
    folder.mkdir()
    for replace in (lambda: replace_file(folder, b"new"), lambda: replace_user_file(folder, "new")):
        with pytest.raises(OSError, match="a folder has the name"):
            replace()
        assert list(tmp_path.iterdir()) == [folder]
