"""What an import drags in, looked at in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

EVERYTHING_OF_FLEET = """
import importlib, pkgutil, sys, fleet
for module in pkgutil.walk_packages(fleet.__path__, "fleet."):
    importlib.import_module(module.name)
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
