"""What an import drags in, looked at in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transports.registry import KINDS

EVERYTHING_OF_FLEET = """
import importlib, pkgutil, sys, fleet
for module in pkgutil.walk_packages(fleet.__path__, "fleet."):
    importlib.import_module(module.name)
"""

#: Prints a line for each module: its name, and those classes of it that ``dataclass`` has made frozen.
FIRST_FRAME = """
import sys
from pathlib import Path
from tui.app import ConsoleApp
from tui.operations.fleet_operations import FleetOperations
from tui.dialogs.questions import Questions

def look():
    for name, module in sorted(sys.modules.items()):
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == name]
        params = {kind.__name__: vars(kind).get("__dataclass_params__") for kind in kinds}
        loaded.append((name, *(kind for kind, found in params.items() if found and found.frozen)))
    app.exit()

loaded = []
here = Path(sys.argv[1])
operations = FleetOperations(here / "configs" / "nodes.yaml", project=here, prompts=Questions())
app = ConsoleApp(operations, begun=look)
app.run(headless=True, size=(120, 40))
for line in loaded:
    print(*line)
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
        ("import tui.cli.console_launch", {"textual", "asyncssh", "winrm"}),
        ("import agent.server", {"fleet", "transports", "tui"}),
    ],
)
def test_what_is_not_used_yet_is_not_imported_yet(statement: str, unwanted: set[str]) -> None:
    assert not loaded_by(statement) & unwanted


#: `dtui` without a command, up to where the console is opened.
BARE = """
import tui.cli.commands.console, tui.cli.console_launch, tui.cli.main
tui.cli.commands.console.is_terminal = lambda name: True
tui.cli.console_launch.run_console = lambda *args, **options: 0
tui.cli.main.main([])
"""


def test_opening_the_console_does_not_import_what_only_commands_need() -> None:
    assert "yaml" not in loaded_by(BARE), "it comes with fleet.inventory"


@pytest.mark.parametrize("inventory", ["", "nodes: [{name: gpu1, address: 127.0.99.1, transport: ssh}]"])
def test_the_first_frame_waits_for_nothing_that_it_does_not_show(tmp_path: Path, inventory: str) -> None:
    read = {"transports", "yaml"} if inventory else set()
    if inventory:
        (tmp_path / "configs").mkdir()
        (tmp_path / "configs" / "nodes.yaml").write_text(inventory, "utf-8")
    shown = subprocess.run(
        [sys.executable, "-c", FIRST_FRAME, str(tmp_path)], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in shown.stdout.splitlines()]
    loaded = {name for name, *_ in lines}
    assert "tui.screens.nodes" in loaded
    packages = {"asyncssh", "keyring", "lab", "torch", "trainer", "transports", "winrm", "yaml"}
    assert {name.split(".")[0] for name in loaded} & packages == read
    declarations = {"transports", "transports.kind", "transports.registry", "transports.regular_files"}
    declarations |= {f"transports.{kind}" for kind in KINDS}
    assert {name for name in loaded if name.split(".")[0] == "transports"} <= declarations
    assert {name for name in loaded if name.startswith("tui.screens.")} == {
        "tui.screens.base", "tui.screens.nodes",
    }  # fmt: skip
    agents = {name.split(".")[1] for name in loaded if name.startswith("agent.")}
    assert agents <= {"wire"}, "of the agent, the types of what events hold"
    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("fleet.")}
    of_events = {"addresses", "errors", "events", "facts", "launch_method", "metrics_record"}
    of_an_inventory = {"bounded_yaml", "inventory", "nodeset", "secrets"} if inventory else set()
    always = {"internal_errors", "state", "terminal"}
    shown_parts = {f"fleet.{name}" for name in always | of_events | of_an_inventory}
    assert rooms <= shown_parts
    assert not loaded & {
        "fleet.inventory.edit",
        "fleet.inventory.render",
        "fleet.inventory.route",
        "fleet.inventory.workers",
        "tui.cli.main",
        "tui.navigation.command_line",
        "tui.navigation.commands",
        "tui.i18n.ko",
        "tui.i18n.ko_actions",
        "tui.navigation.palette",
    }
    assert {name: slow for name, *slow in lines if slow and name.startswith(("fleet.", "tui."))} == {}
