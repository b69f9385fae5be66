"""What an import drags in, looked at in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EVERYTHING_OF_FLEET = """
import importlib, pkgutil, sys, fleet
for module in pkgutil.walk_packages(fleet.__path__, "fleet."):
    importlib.import_module(module.name)
"""

FIRST_FRAME = """
import sys
from pathlib import Path
from tui.app import ConsoleApp
from tui.fleet_operations import FleetOperations
from transports.base import NoPrompts

class Looked(ConsoleApp):
    loaded = ()

    def _begin(self):
        self.loaded = sorted(sys.modules)
        self.exit()

here = Path(sys.argv[1])
app = Looked(FleetOperations(here / "configs" / "nodes.yaml", project=here, prompts=NoPrompts()))
app.run(headless=True, size=(120, 40))
print(*app.loaded)
"""


def loaded_by(statement: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in shown.stdout.split()}


def test_the_fleet_knows_no_screen_and_no_socket_library() -> None:
    assert not loaded_by(EVERYTHING_OF_FLEET) & {"textual", "asyncssh", "winrm", "torch", "accelerate", "tui"}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("from tui.cli.main import build_parser; build_parser()", {"textual", "asyncssh", "winrm", "torch"}),
        ("import transports.registry", {"asyncssh", "winrm"}),
        ("import tui.console", {"textual", "asyncssh", "winrm"}),
        ("import agent.server", {"fleet", "transports", "tui"}),
    ],
)
def test_what_is_not_used_yet_is_not_imported_yet(statement: str, unwanted: set[str]) -> None:
    assert not loaded_by(statement) & unwanted


def test_the_first_frame_waits_for_nothing_that_it_does_not_show(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", FIRST_FRAME, str(tmp_path)], capture_output=True, text=True, check=True
    )
    loaded = set(shown.stdout.split())
    assert "tui.screens.nodes" in loaded
    packages = {"asyncssh", "winrm", "yaml", "keyring", "lab", "torch", "trainer"}
    assert not {name.split(".")[0] for name in loaded} & packages
    assert not loaded & {
        "fleet.inventory",
        "fleet.runs",
        "fleet.preflight",
        "fleet.deploy",
        "fleet.telemetry",
    }
    assert {name for name in loaded if name.startswith("tui.screens.")} == {
        "tui.screens.base", "tui.screens.nodes",
    }  # fmt: skip
    assert not loaded & {
        "tui.i18n.ko", "tui.i18n.ko_actions", "tui.i18n.sentences", "tui.command_line", "tui.cli.main",
    }  # fmt: skip
