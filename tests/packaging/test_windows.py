"""The wheel on Windows Python: the commands and the console start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.wine.machine import WindowsMachine
from tests.packaging.windows_site import on_z

pytestmark = [pytest.mark.wine, pytest.mark.timeout(170)]

#: Draws the first frame without a terminal, as Textual's own tests do.
CONSOLE = """
import asyncio
from tui.app import ConsoleApp
from tui.operations.fleet_operations import FleetOperations
from tui.dialogs.questions import Questions

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
#: Ctrl-Break, and a handler for the closed window, which only the system can call.
INTERRUPTED = """
import signal, threading
from tui.cli.interruption import end_as_interrupted
end_as_interrupted()
try:
    signal.raise_signal(signal.SIGBREAK)
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("cleaned up")
"""
KEYS = """
from tui.cli.doctor import _keys
finding = _keys(project)
print(finding.status, finding.remedy)
"""


class Windows:
    """Runs Python programs with the site on their path, and ``project`` as their folder."""

    def __init__(self, machine: WindowsMachine, site: Path, project: Path) -> None:
        self._machine, self._site, self._project = machine, site, project

    def run(self, program: str) -> tuple[int, str, str]:
        head = (
            f"import sys, pathlib\nsys.path.insert(0, {on_z(self._site)!r})\n"
            f"project = pathlib.Path({on_z(self._project)!r})\n"
        )
        script = self._project / "program.py"
        script.write_text(head + program, "utf-8")
        line = f'{self._machine.python()} -X utf8 "{on_z(script)}"'
        process = self._machine.run("winrm", line, variables={}, folder="C:\\")
        process.stdin.close()
        out = process.stdout.read().decode("utf-8")
        return process.wait(), out, process.stderr.read().decode("utf-8", "replace")


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


def test_ctrl_break_is_an_interruption(windows: Windows) -> None:
    status, out, err = windows.run(INTERRUPTED)
    assert (status, out.split()) == (0, ["cleaned", "up"]), err


def test_doctor_looks_at_who_may_read_a_key(windows: Windows, tmp_path: Path) -> None:
    """Wine makes access lists of the modes of files."""
    key = tmp_path / "id_ed25519"
    key.touch(0o600)
    assert windows.run(KEYS)[1].startswith("ok")
    key.chmod(0o644)
    status, out, err = windows.run(KEYS)
    assert status == 0, err
    assert out.startswith("warn run `icacls "), out
    assert '/remove:g "*S-1-1-0"' in out
