from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.deploy.portability import alike, decomposed, faults_on_windows
from fleet.deploy.scan import scan
from tests.hostile import planted


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_files_are_listed_with_size_time_and_executable_bit(tmp_path: Path) -> None:
    write(tmp_path, "b/run.sh", "a.py", "c/.git/HEAD", "logs/x")
    (tmp_path / "b/run.sh").chmod(0o755)
    os.utime(tmp_path / "a.py", ns=(5, 1_234_567_890_123_456_700))
    found = scan(tmp_path)
    assert [tuple(file) for file in found.files] == [
        ("a.py", 4, 1_234_567_890_123_456_700, 0),
        ("b/run.sh", 8, (tmp_path / "b/run.sh").stat().st_mtime_ns, 1),
    ]
    assert found.size == 12


def test_a_link_is_followed_only_to_a_file_inside_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write(project, "real.txt", "folder/x")
    write(tmp_path, "outside.txt")
    (project / "inside").symlink_to("real.txt")
    (project / "out").symlink_to(tmp_path / "outside.txt")
    (project / "sly").symlink_to("../outside.txt")
    (project / "dir").symlink_to("folder")
    (project / "broken").symlink_to("nothing")
    (project / "self").symlink_to("self")
    os.mkfifo(project / "pipe")
    found = scan(project)
    assert [(file.path, file.size) for file in found.files] == [
        ("folder/x", 8),
        ("inside", 8),
        ("real.txt", 8),
    ]
    reasons = {finding.path: finding.what for finding in found.left_out}
    assert set(reasons) == {"out", "sly", "dir", "broken", "self", "pipe"}
    assert "outside of the project" in reasons["out"]
    assert "outside of the project" in reasons["sly"]
    assert "link to a folder" in reasons["dir"]
    assert "does not exist" in reasons["broken"]


@pytest.mark.needs("posix")
@pytest.mark.parametrize("plant", [planted.pipe, planted.link, planted.sparse])
def test_ignore_rules_that_a_program_replaced_are_a_fault(
    plant: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path, "fine.py")
    plant(tmp_path / ".dtuiignore")
    (fault,) = scan(tmp_path).faults
    assert fault.what.startswith("'.dtuiignore' can't be read: ")


def test_what_can_not_be_read_is_a_fault_with_its_path(tmp_path: Path) -> None:
    write(tmp_path, "fine.py", "secret.key", "locked/x")
    (tmp_path / "secret.key").chmod(0)
    (tmp_path / "locked").chmod(0)
    tmp_path.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        # Root may read everything: look with an ordinary user's eyes.
        for folder in (tmp_path, *tmp_path.parents):
            if "pytest" in str(folder):
                folder.chmod(0o755)
        os.seteuid(65534)
    try:
        found = scan(tmp_path)
    finally:
        os.seteuid(user)
        (tmp_path / "locked").chmod(0o755)
    assert {fault.path for fault in found.faults} == {"secret.key", "locked"}
    assert all("Permission denied" in fault.what and ".dtuiignore" in fault.remedy for fault in found.faults)


def test_a_missing_or_empty_project_is_a_fault(tmp_path: Path) -> None:
    assert "No such file" in scan(tmp_path / "nowhere").faults[0].what
    write(tmp_path, "logs/only.txt")
    assert "has no files to deploy" in scan(tmp_path).faults[0].what


@pytest.mark.parametrize(
    "path",
    ["a:b", "con", "sub/NUL.txt", "COM1.log", "what?", "star*", 'quo"te', "pipe|", "a<b", "dot.", "blank ",
     "back\\s", "bell\x07", "x/" + "n" * 256, "가" * 256],
)  # fmt: skip
def test_names_that_windows_does_not_allow_are_found(path: str) -> None:
    faults = faults_on_windows(["fine.py", path])
    assert {fault.path for fault in faults} == {path}
    assert all(fault.remedy for fault in faults)


@pytest.mark.parametrize(
    "path", ["console.py", "com10", "a.b.c", " leading", "가" * 255, "nul_", ".hidden", "auxiliary"]
)
def test_names_that_only_look_dangerous_are_not(path: str) -> None:
    assert faults_on_windows([path]) == ()


def test_names_equal_but_for_case_clash_on_windows() -> None:
    faults = faults_on_windows(["Data/a", "data/A", "README", "readme/x", "src/a", "Src/b"])
    assert {fault.path for fault in faults} == {"data/A", "README"}


def test_names_that_look_the_same_and_names_of_macos_are_told() -> None:
    composed = "데이터/그림.png"
    split = unicodedata.normalize("NFD", composed)
    assert [finding.path for finding in alike([composed, split, "a"])] == [split]
    assert decomposed([composed, split, "a"]) == (split,)


def test_a_virtual_environment_of_any_name_is_left_out_and_named(tmp_path: Path) -> None:
    for name in (
        "train.py",
        "myenv/pyvenv.cfg",
        "myenv/lib/x.py",
        "pkg/checkpoints/io.py",
        "checkpoints/a.pt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = scan(tmp_path)
    assert [file.path for file in found.files] == ["pkg/checkpoints/io.py", "train.py"]
    assert [(one.path, "virtual environment" in one.what) for one in found.left_out] == [("myenv", True)]
