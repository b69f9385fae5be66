from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.paths import (
    LONGEST_ON_WINDOWS,
    PathRejected,
    ProjectRejected,
    extended,
    project_root,
    reject_long,
    reject_other_system,
    shown,
    split,
)
from agent.tree.places import Tree


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a/", "a\0b"])
@pytest.mark.parametrize("windows", [False, True])
def test_a_path_that_leads_elsewhere_is_rejected_everywhere(path: str, windows: bool) -> None:
    with pytest.raises(PathRejected) as caught:
        split(path, windows)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "path",
    [
        "C:/x", "c:x", "\\\\server\\share\\x", "\\x", "a\\..\\x", "a:b", "dir/file.txt:stream", "CON",
        "a/nul.txt", "com1", "lpt9.log", "COM¹", "a.", "a /b", "a?b", "a*b", 'a"b', "a|b",
        "a<b", "a\x01b", "aux .txt",
    ],
)  # fmt: skip
def test_what_windows_reads_otherwise_is_rejected_there(path: str) -> None:
    with pytest.raises(PathRejected):
        split(path, windows=True)


@pytest.mark.parametrize("path", ["a:b", "con", "a?b", "a. "])
def test_an_ordinary_posix_name_is_accepted_on_posix(path: str) -> None:
    assert split(path, windows=False) == [path]


@given(st.text(max_size=20))
def test_whatever_is_accepted_stays_below_the_root(path: str) -> None:
    try:
        parts = split(path, windows=False)
    except PathRejected:
        return
    place = os.path.normpath("/".join(["/root/project", *parts]))
    assert place.startswith("/root/project/")


def test_a_way_through_a_link_is_rejected_and_a_link_at_its_end_is_found(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "project"
    root.mkdir()
    (root / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(PathRejected, match="'data', which is a symbolic link"):
        Tree(str(root)).find("data/x")
    with pytest.raises(PathRejected):
        Tree(str(root)).place("data/deep/x")
    found = Tree(str(root)).find("data")
    assert found is not None
    assert found.kind == "link"


@pytest.mark.parametrize("path", [".dtui/known_hosts", ".DTUI/x", ".dtui"])
def test_nothing_is_deployed_into_dtuis_own_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(PathRejected, match="own folder"):
        Tree(str(tmp_path)).find(path)


def test_a_project_may_be_given_below_home_and_the_root_of_a_disk_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert project_root("~/train/x") == str(tmp_path / "train/x")
    assert project_root("train/x") == str(tmp_path / "train/x")
    for bad in ("/", "", " "):
        with pytest.raises(PathRejected):
            project_root(bad)


def test_a_path_of_another_system_is_no_folder_here() -> None:
    """Both would be made without a word: below the home on Linux, and on the current drive on Windows."""
    for path in ("C:\\train\\p", "c:/train/p", "\\\\server\\share\\p"):
        with pytest.raises(ProjectRejected, match="path of Windows"):
            project_root(path)
        reject_other_system(path, windows=True)
    with pytest.raises(ProjectRejected, match="path of Linux"):
        reject_other_system("/home/kim/p", windows=True)
    reject_other_system("~/p", windows=True)


def test_a_folder_that_is_too_deep_for_programs_on_windows() -> None:
    deep = "C:\\" + "p" * (LONGEST_ON_WINDOWS - 3)
    assert len(deep + "\\.venv\\Scripts\\python.exe") == 259
    reject_long(deep)
    with pytest.raises(ProjectRejected, match="234 at most"):
        reject_long(deep + "p")


@pytest.mark.parametrize("path", ["C:\\work\\x", "\\\\server\\share\\x"])
def test_a_long_windows_path_is_shown_as_a_person_knows_it(path: str) -> None:
    assert extended(path).startswith("\\\\?\\")
    assert shown(extended(path)) == path
    assert extended(extended(path)) == extended(path)
