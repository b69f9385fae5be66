"""Ignore files of a project that was cloned from elsewhere: matching takes no time that grows out of hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.deploy.ignore import IgnoreRules
from fleet.deploy.scan import scan

#: Each would take hours if a match went back over every star.
PATTERNS = (
    "*a" * 60 + "b",
    "**/" + "a/**/" * 40 + "b",
    "**/" + "*a*/**/" * 30 + "*a*b",
    "?" * 100 + "*" * 100 + "?" * 100 + "b",
    "[a-z]*" * 50 + "!",
    "(a+)+" * 50,
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_full_of_stars_is_matched_in_time(pattern: str) -> None:
    rules = IgnoreRules()
    rules.add_gitignore("", [pattern])
    assert not rules.excludes_file("a" * 250)
    assert not rules.excludes_file("/".join(["a"] * 200))
    assert not rules.excludes_file("/".join(["aaaa" * 10] * 50) + "/c")


def test_damaged_and_strange_files_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    for name, contents in {
        "binary": bytes(range(256)) * 40,
        "unfinished": b"[\n[a\n\\\n!\n/\n**\\\n[z-a]\n[[:no:]]\n",
        "utf16": "*.py\n".encode("utf-16"),
        "empty": b"",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / ".gitignore").write_bytes(contents)
        (tmp_path / name / "b.py").write_text("")
    (tmp_path / "large").mkdir()
    with (tmp_path / "large/.gitignore").open("wb") as file:
        file.truncate(1 << 30)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "waits").mkdir()
    os.mkfifo(tmp_path / "waits/.gitignore")
    found = scan(tmp_path)
    assert found.faults == ()
    names = {file.path for file in found.files}
    assert {"a.py", "unfinished/b.py", "empty/b.py", "utf16/b.py", "large/.gitignore"} <= names
