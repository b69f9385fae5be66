from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.deploy.ignore import EXCLUDED, OUTPUTS, TOOLS, IgnoreRules
from fleet.deploy.scan import scan
from tests.support.needs import need


def excluded(lines: list[str], *paths: str) -> set[str]:
    rules = IgnoreRules(lines)
    return {path for path in paths if rules.excludes_file(path)}


@pytest.mark.parametrize("name", [*TOOLS, ".dtui"])
def test_what_no_node_needs_is_excluded_at_every_depth(name: str) -> None:
    assert excluded([], f"{name}/a", f"src/{name}/deep/a", f"src/not{name}/a") == {
        f"{name}/a",
        f"src/{name}/deep/a",
    }


@pytest.mark.parametrize("name", [output.removeprefix("/") for output in OUTPUTS])
def test_what_runs_write_is_excluded_at_the_top_only(name: str) -> None:
    assert excluded([], f"{name}/a.py", f"src/{name}/a.py") == {f"{name}/a.py"}


def test_an_excluded_folder_can_be_taken_in_again_but_dtuis_own_can_not() -> None:
    lines, paths = ["!/logs/", "!.dtui/"], ("logs/a.py", "checkpoints/a.py", ".dtui/known_hosts")
    assert excluded(lines, *paths) == {"checkpoints/a.py", ".dtui/known_hosts"}


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


def ignored_by_git(repository: Path, paths: list[str]) -> set[str]:
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=repository,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    return set(answer.stdout.decode().split("\0")) - {""}


LINES = st.lists(PATTERN, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, paths=PATHS)
def test_any_rules_exclude_what_git_excludes(repository: Path, lines: list[str], paths: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join([*EXCLUDED, *lines]) + "\n")
    assert excluded(lines, *paths) == ignored_by_git(repository, paths)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(st.sampled_from(["", "a", "b", "a/b"]), LINES, min_size=1), paths=PATHS)
def test_nested_files_exclude_what_git_excludes(
    repository: Path, files: dict[str, list[str]], paths: list[str]
) -> None:
    rules = IgnoreRules(outputs=())
    for folder in ("", "a", "b", "a/b"):
        (repository / folder).mkdir(exist_ok=True)
        lines = files.get(folder, [])
        (repository / folder / ".gitignore").write_text("\n".join(lines) + "\n")
        rules.add_gitignore(f"{folder}/" if folder else "", lines)
    tested = [*paths, *(f"{folder}/{path}" for folder in ("a", "b", "a/b") for path in paths[:3])]
    assert {path for path in tested if rules.excludes_file(path)} == ignored_by_git(repository, tested)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def listed(root: Path) -> set[str]:
    return {file.path for file in scan(root).files}


def test_a_project_is_listed_as_git_would_track_it_and_dtuiignore_has_the_last_word(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "*.bin\n/data/\n.env\n",
            ".dtuiignore": "!weights.bin\nnotes/\n",
            "weights.bin": "1",
            "cache.bin": "1",
            "data/a.txt": "1",
            "src/data/a.py": "1",
            "src/.gitignore": "generated/\n!keep.bin\n",
            "src/keep.bin": "1",
            "src/generated/a.py": "1",
            "notes/a.md": "1",
            ".env": "KEY=1",
            "venv/pyvenv.cfg": "",
            "venv/lib/x.py": "",
        },
    )
    assert listed(tmp_path) == {
        ".gitignore", ".dtuiignore", "weights.bin", "src/data/a.py", "src/.gitignore", "src/keep.bin"
    }  # fmt: skip


def test_a_folder_at_the_top_that_holds_code_is_code_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"checkpoints/__init__.py": "", "checkpoints/io/a.py": "", "logs/a.txt": "", "a.py": ""})
    assert listed(tmp_path) == {"checkpoints/__init__.py", "checkpoints/io/a.py", "a.py"}


def test_a_project_within_a_repository_follows_the_files_around_it(tmp_path: Path) -> None:
    write(tmp_path, {".git/HEAD": "", ".gitignore": "*.pt\n/models/one/data/\n/models/two/\n"})
    for name in ("one", "two"):
        write(tmp_path / "models" / name, {"a.py": "", "a.pt": "", "data/a": "", "data/deep/a": ""})
    assert listed(tmp_path / "models/one") == {"a.py"}
    # The rule about the whole folder does not empty a project that the user names.
    assert listed(tmp_path / "models/two") == {"a.py", "data/a", "data/deep/a"}


def test_a_gitignore_does_not_show_the_inventory_and_is_not_read_through_a_link(tmp_path: Path) -> None:
    write(tmp_path / "out", {"rules": "*.py\n"})
    write(tmp_path / "p", {".gitignore": "!configs/nodes.yaml\n", "configs/nodes.yaml": "", "src/a.py": ""})
    (tmp_path / "p/src/.gitignore").symlink_to(tmp_path / "out/rules")
    assert listed(tmp_path / "p") == {".gitignore", "src/a.py"}


def test_what_a_run_needs_is_listed_although_git_ignores_it(tmp_path: Path) -> None:
    write(
        tmp_path, {".gitignore": "configs/\nuv.lock\n", "configs/local.yaml": "", "uv.lock": "", "a.py": ""}
    )
    wanted = ("configs/local.yaml", "uv.lock", "missing.toml", "configs")
    found = scan(tmp_path, required=wanted)
    assert {file.path for file in found.files} == {".gitignore", "a.py", "configs/local.yaml", "uv.lock"}
    write(tmp_path, {".dtuiignore": "configs/\n"})
    assert "configs/local.yaml" not in {file.path for file in scan(tmp_path, required=wanted).files}


def test_the_size_of_what_is_excluded_is_measured(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "data\n*.bin\n", "data/a/b": "12345", "data/c": "678", "x.bin": "12"})
    write(tmp_path, {"checkpoints/a.pt": "123", ".git/HEAD": "", "a.py": ""})
    found = scan(tmp_path, measure=True).excluded
    assert {(one.path, one.excluder, one.files, one.size, one.complete) for one in found} == {
        ("data", ".gitignore", 2, 8, True),
        ("x.bin", ".gitignore", 1, 2, True),
        ("checkpoints", "outputs", 1, 3, True),
    }
