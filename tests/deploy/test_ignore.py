from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.deploy.ignore import EXCLUDED, IgnoreRules
from tests.support.needs import need


def excluded(lines: list[str], *paths: str) -> set[str]:
    rules = IgnoreRules(lines)
    return {path for path in paths if rules.excludes_file(path)}


@pytest.mark.parametrize("name", [*EXCLUDED, ".dtui"])
def test_the_guides_excludes_hold_at_every_depth(name: str) -> None:
    assert excluded([], f"{name}/a", f"src/{name}/deep/a", f"src/not{name}/a") == {
        f"{name}/a",
        f"src/{name}/deep/a",
    }


def test_an_excluded_folder_can_be_taken_in_again_but_dtuis_own_can_not() -> None:
    assert excluded(["!src/logs/", "!.dtui/"], "src/logs/a.py", "logs/a.py", ".dtui/known_hosts") == {
        "logs/a.py",
        ".dtui/known_hosts",
    }


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("*.pt", "deep/model.pt", True),
        ("*.pt", "model.pth", False),
        ("/data", "data/x", True),
        ("/data", "src/data/x", False),
        ("src/data", "src/data/x", True),
        ("src/data", "a/src/data/x", False),
        ("data/", "data/x", True),
        ("data/", "data", False),
        ("**/cache", "a/b/cache/x", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("?.py", "ab.py", False),
        ("[a-c].py", "b.py", True),
        ("[!a-c].py", "b.py", False),
        ("\\#a", "#a", True),
        ("\\!a", "!a", True),
        ("# comment", "# comment", False),
        ("a ", "a", True),
        ("a\\ ", "a ", True),
        ("데이터/", "데이터/그림.png", True),
    ],
)
def test_a_pattern_means_what_it_means_to_git(line: str, path: str, expected: bool) -> None:
    assert bool(excluded([line], path)) is expected


def test_a_file_in_an_excluded_folder_can_not_be_taken_in() -> None:
    assert excluded(["data/", "!data/keep.txt"], "data/keep.txt") == {"data/keep.txt"}


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_pattern(tmp_path: Path) -> None:
    (tmp_path / ".dtuiignore").write_bytes("\ufeff*.pt\r\n*.bin\r\n".encode())
    rules = IgnoreRules.read(tmp_path)
    assert rules.excludes_file("a.pt")
    assert rules.excludes_file("a.bin")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("git")
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


PATTERN = st.text("aab**//?[]!-^\\. #:", min_size=1, max_size=8)
NAME = st.text("ab-.]! ", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(st.lists(NAME, min_size=1, max_size=3).map("/".join), min_size=8, max_size=8, unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(PATTERN, min_size=1, max_size=4), paths=PATHS)
def test_any_rules_exclude_what_git_excludes(repository: Path, lines: list[str], paths: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join([*EXCLUDED, *lines]) + "\n")
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=repository,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    assert excluded(lines, *paths) == set(answer.stdout.decode().split("\0")) - {""}
