"""Each recipe of ``docs/extending.md`` works: it is applied to a copy of the repository and tested there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.docs.blocks import ROOT, Block, blocks

PAGES = [ROOT / "docs" / "extending.md", ROOT / "docs" / "extending.ko.md"]
#: Files that a change touches by hand.
MOST_FILES = 3
COPIED = (
    "benchmarks",
    "agent",
    "configs",
    "docs",
    "fleet",
    "lab",
    "scripts",
    "tests",
    "transports",
    "tui",
    "pyproject.toml",
)
DEADLINE = 300.0


def recipes() -> dict[str, list[Block]]:
    """Return heading -> the blocks of its recipe that change a file."""
    text = PAGES[0].read_text("utf-8")
    headings = {text[: found.start()].count("\n"): found[1] for found in re.finditer(r"(?m)^## (.+)$", text)}
    found: dict[str, list[Block]] = {}
    for block in blocks(PAGES[0]):
        heading = headings[max(line for line in headings if line < block.line)]
        if is_change(block):
            found.setdefault(heading, []).append(block)
    return found


def is_change(block: Block) -> bool:
    """Return whether a block names a file and a place in it; those of a transport are tested elsewhere."""
    return len(block.words) == 2


def commands() -> dict[str, list[str]]:
    """Return heading -> the command that tests the recipe."""
    found = re.findall(
        r"(?ms)^## ([^\n]+)$(?:(?!^## ).)*?^Test: `python (-m pytest [^`]+)`", PAGES[0].read_text("utf-8")
    )
    return {heading: shlex.split(command) for heading, command in found}


RECIPES = recipes()
COMMANDS = commands()


def apply(block: Block, root: Path) -> None:
    """Write a block into its file: as a new file, at the end, above a line, or into a table.

    ``above:X`` is the first line that begins with X; ``end-of:X`` is the end of the table that it opens.
    """
    path, (how, _, start) = root / block.words[0], block.words[1].partition(":")
    if how == "new":
        assert not path.exists(), block.words
        path.write_text(block.text, "utf-8")
        return
    lines = path.read_text("utf-8").splitlines(keepends=True)
    place = len(lines)
    if how == "append":
        lines[place:] = ["\n"] if block.language == "po" else []
        place = len(lines)
    else:
        place = next(number for number, line in enumerate(lines) if line.lstrip().startswith(start))
        if how == "end-of":
            place = next(number for number in range(place + 1, len(lines)) if lines[number][0] in ")]")
    lines[place:place] = [block.text]
    path.write_text("".join(lines), "utf-8")


class Copy:
    """A copy of the repository, and programs that run from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # With the compiled files: they are valid, since the times are copied too.
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name)
            else:
                shutil.copy2(source, root / name)

    def run(
        self, *words: str, folder: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=folder or self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "PYTHONUTF8": "1", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE,
        )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy of the repository with all recipes."""
    made = Copy(tmp_path_factory.mktemp("extended"))
    for changes in RECIPES.values():
        for block in changes:
            apply(block, made.root)
    done = made.run("scripts/generated_pages.py")
    assert done.returncode == 0, done.stderr
    return made


def test_every_kind_has_a_recipe_with_a_test() -> None:
    assert list(RECIPES) == [
        "A preflight check",
        "A console action",
        "A diagnosis rule",
        "A table column",
        "A telemetry quantity",
    ]
    assert set(COMMANDS) >= set(RECIPES)


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_touches_few_files(heading: str) -> None:
    touched = {block.words[0] for block in RECIPES[heading]}
    assert len(touched) <= MOST_FILES, touched


def test_both_languages_show_the_same_changes() -> None:
    english, korean = ([block for block in blocks(page) if is_change(block)] for page in PAGES)
    assert [(one.language, one.words, one.text) for one in korean] == [
        (one.language, one.words, one.text) for one in english
    ]


@pytest.mark.parametrize("heading", RECIPES)
def test_the_test_of_a_recipe_passes_in_a_copy(heading: str, copy: Copy) -> None:
    done = copy.run(*COMMANDS[heading], "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_recipes_have_all_their_korean_texts(copy: Copy) -> None:
    done = copy.run("scripts/translations.py", "--check")
    assert done.returncode == 0, done.stdout


def test_generated_pages_have_what_the_recipes_declare(copy: Copy) -> None:
    for name, line in (
        ("preflight.md", "| `swap` | swap |"),
        ("preflight.ko.md", "| `swap` | 스왑 |"),
        ("keys.md", "| `y` | `nodes.copy_address` |"),
        ("keys.ko.md", "| `y` | `nodes.copy_address` |"),
        ("telemetry.md", "| `pcie_replays` |"),
    ):
        assert line in (copy.root / "docs" / name).read_text("utf-8"), name


def test_the_check_is_evaluated_on_a_node(copy: Copy, nodes: Path, project: Project) -> None:
    done = copy.run(
        "-m", "tui", "preflight", "--json", "--on", "node1", "--check", "swap", folder=project.folder
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    cells = [(one["node"], one["check"]) for one in events if one["event"] == "CheckFinished"]
    assert cells == [("node1", "swap")], done.stderr


@pytest.mark.full
def test_the_rule_explains_a_failed_run(copy: Copy, nodes: Path, project: Project) -> None:
    error = "prefetch_factor option could only be specified in multiprocessing."
    project.write("train.py", f"raise ValueError('{error}')\n")
    done = copy.run("-m", "tui", "up", "--script", "train.py", folder=project.folder)
    assert "prefetch_factor is set, but the loader has no processes of its own" in done.stderr
    assert "set num_workers above 0, or leave prefetch_factor out" in done.stderr


NVML = """
int nvmlDeviceGetPcieReplayCounter(void *device, unsigned *count)
{ (void)device; *count = 7; return SUCCESS; }
"""


def test_the_quantity_is_in_the_samples_of_a_driver(copy: Copy, tmp_path: Path) -> None:
    source = tmp_path / "nvml.c"
    source.write_text((ROOT / "tests" / "telemetry" / "fake_nvml.c").read_text("utf-8") + NVML, "utf-8")
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True, timeout=60)
    variables = {"LD_LIBRARY_PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = copy.run("-m", "tui", "gpu", "--local", "--json", folder=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    gpus = next(one["sample"]["gpus"] for one in samples if one["event"] == "TelemetrySampled")
    assert [gpu["pcie_replays"] for gpu in gpus] == [7, 7]
