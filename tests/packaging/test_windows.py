"""The wheel on Windows Python: the commands and the console start."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wine.machine import WindowsMachine
from tests.packaging.conftest import Built, run

pytestmark = [pytest.mark.wine, pytest.mark.timeout(170)]

#: Draws the first frame without a terminal, as Textual's own tests do.
CONSOLE = """
import asyncio
from tui.app import ConsoleApp
from tui.fleet_operations import FleetOperations
from tui.prompts import Questions

async def look():
    questions = Questions()
    operations = FleetOperations(project / "configs" / "nodes.yaml", project=project, prompts=questions)
    app = ConsoleApp(operations, lang="ko", theme=None, read_only=True, questions=questions, keymap={})
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        print("screen", type(app.screen).__name__)

asyncio.run(look())
"""
COMMANDS = """
from tui.cli import main
where = ["--project", str(project)]
sys.exit(main(["init", "--workers", "192.168.1.101", *where]) or main(["nodes", "--offline", *where]))
"""
#: What console and commands import: pure Python, and pyyaml, which is also built for Windows.
NEEDED = (
    "textual", "rich", "markdown-it-py", "mdit-py-plugins", "mdurl", "linkify-it-py", "pygments",
    "platformdirs", "typing-extensions", "pyyaml",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel and its packages for Windows; yields the folder."""
    folder = tmp_path_factory.mktemp("windows")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "site")
    windows = ("--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:")
    pinned = [f"{name}=={importlib.metadata.version(name)}" for name in NEEDED]
    run(*pip, *windows, *pinned, cwd=folder)
    run(*pip, "--no-index", built.wheel, cwd=folder)
    return folder / "site"


@pytest.fixture(scope="module")
def machine() -> Iterator[WindowsMachine]:
    with WindowsMachine() as running:
        yield running


class Windows:
    """Runs Python programs with the site on their path, and ``project`` as their folder."""

    def __init__(self, machine: WindowsMachine, site: Path, project: Path) -> None:
        self._machine, self._site, self._project = machine, site, project

    def run(self, program: str) -> tuple[int, str, str]:
        head = (
            f"import sys, pathlib\nsys.path.insert(0, {_on_z(self._site)!r})\n"
            f"project = pathlib.Path({_on_z(self._project)!r})\n"
        )
        script = self._project / "program.py"
        script.write_text(head + program, "utf-8")
        line = f'{self._machine.python()} -X utf8 "{_on_z(script)}"'
        process = self._machine.run("winrm", line, variables={}, folder="C:\\")
        process.stdin.close()
        out = process.stdout.read().decode("utf-8")
        return process.wait(), out, process.stderr.read().decode("utf-8", "replace")


def _on_z(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


@pytest.fixture
def windows(machine: WindowsMachine, site: Path, tmp_path: Path) -> Windows:
    return Windows(machine, site, tmp_path)


def test_the_commands_start(windows: Windows, tmp_path: Path) -> None:
    status, out, err = windows.run(COMMANDS)
    assert status == 0, err
    assert (tmp_path / "configs" / "nodes.yaml").is_file()
    assert re.search(r"192\.168\.1\.101 +auto", out), out


def test_the_console_draws_its_first_frame(windows: Windows) -> None:
    status, out, err = windows.run(CONSOLE)
    assert status == 0, err
    assert "screen NodesScreen" in out
