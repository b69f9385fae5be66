"""Every command of the documents is one that dtui has, and those that need no real machine are run.

``sh`` blocks are run, those of a file in their order and in one folder. ``sh background`` is started and left
running until the end of the file. ``sh real`` needs machines, programs or minutes: its ``dtui`` commands
are parsed only.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import DOCUMENTS, ROOT, blocks, inline
from tests.scripts.gate import faults
from tui.cli.main import build_parser, own_words

DEADLINE = 180.0
#: Of the two guides, which show the same commands, one is enough.
RUNNABLE = [
    path
    for path in DOCUMENTS
    if path.name != "guide.ko.md"
    and any(block.language == "sh" and "real" not in block.words for block in blocks(path))
]
GUIDES = [ROOT / "docs" / "guide.md", ROOT / "docs" / "guide.ko.md"]


def commands(text: str) -> Iterator[str]:
    """Yield the ``dtui`` commands of a shell text; brackets and dots mark what a reader fills in."""
    joined = re.sub(r"<<'(\w+)'\n.*?\n\1\n", "\n", text.replace("\\\n", " "), flags=re.DOTALL)
    for line in joined.splitlines():
        for part in re.split(r"&&|\||;|\$\(", line):
            command = part.split("  #")[0].strip().rstrip('")')
            if re.match(r"dtui( |$)", command) and not re.search(r"[\[<…]|\.\.\.|[A-Z]{3,}$", command):
                yield command


def all_commands(path: Path) -> list[str]:
    fenced = [
        command for block in blocks(path) if block.language in ("sh", "") for command in commands(block.text)
    ]
    return fenced + [command for code in inline(path) for command in commands(code)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_is_understood(path: Path) -> None:
    parser = build_parser()
    for command in all_commands(path):
        words = shlex.split(command.replace("\\", "\\\\"))[1:]
        try:
            parser.parse_args(own_words(parser, words)[0])
        except SystemExit as ended:
            assert ended.code == 0, f"{path.name}: {command}"


def test_commands_are_found_and_a_wrong_one_is_not_understood() -> None:
    assert sum(len(all_commands(path)) for path in DOCUMENTS) > 60
    assert list(commands("pip install x && dtui up --port 1  # so\n")) == ["dtui up --port 1"]
    with pytest.raises(SystemExit):
        build_parser().parse_args(["up", "--skip-deployment"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_powershell_blocks_can_be_read(path: Path) -> None:
    for block in blocks(path):
        if block.language == "powershell":
            assert faults(block.text.replace("\n", "\r\n").encode()) == [], f"{path.name}:{block.line}"


def test_the_guides_show_the_same_commands_and_files() -> None:
    english, korean = (
        [(block.language, block.words, block.text) for block in blocks(path)] for path in GUIDES
    )
    shown = ("sh", "powershell", "yaml")
    assert [one for one in korean if one[0] in shown] == [one for one in english if one[0] in shown]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.name)
def test_what_needs_no_real_machine_runs(path: Path, tmp_path: Path) -> None:
    runnable = [block for block in blocks(path) if block.language == "sh" and "real" not in block.words]
    place = Place(tmp_path)
    with place:
        for block in runnable:
            if "background" in block.words:
                place.start(block.text)
            else:
                done = place.run(block.text)
                assert done.returncode == 0, f"{path.name}:{block.line}\n{done.stdout}{done.stderr}"
                if "train.py" in block.text:
                    assert set(re.findall(r"rank (\d) of 3 on", done.stdout)) == {"0", "1", "2"}


class Place:
    """A project folder in which a reader types; ``dtui`` is the one under test."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "project"
        self._home = root / "home"
        self._commands = root / "bin"
        for folder in (self.folder, self._home, self._commands):
            folder.mkdir()
        command = self._commands / "dtui"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui "$@"\n', "utf-8")
        command.chmod(0o755)
        self._left: list[subprocess.Popen[str]] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        for process in self._left:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=DEADLINE)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self._commands}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            "HOME": str(self._home),
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
        }

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE,
        )

    def start(self, text: str) -> None:
        """Start a program that stays, and wait until it has written the file that it names."""
        process = subprocess.Popen(
            ["bash", "-euc", f"exec {text.strip()}"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._left.append(process)
        written = self.folder / shlex.split(text)[-1]
        deadline = time.monotonic() + DEADLINE
        while not written.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"{text} did not write {written}"
            time.sleep(0.02)
