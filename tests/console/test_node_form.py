"""The form for a new node has a field for each option of the transport that is entered."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import load_inventory
from tests.console.driving import settled, text_of, until
from transports.base import NoPrompts
from transports.registry import KINDS
from tui.app import ConsoleApp
from tui.dialogs.form import FormScreen
from tui.operations.fleet_operations import FleetOperations


def app_of(folder: Path) -> ConsoleApp:
    path = folder / "configs" / "nodes.yaml"
    return ConsoleApp(FleetOperations(path, project=folder, prompts=NoPrompts()))


async def test_the_options_of_the_entered_transport_are_asked_for_and_saved(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("a", *"gpu9", "enter", *"127.0.0.9", "enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert "winrm: scheme" not in text_of(app)
        # Typed without a pause: the next field is the first option.
        await pilot.press("ctrl+u", *"winrm", "enter", *"http", "enter", *"ntlm")
        await until(pilot, lambda: "winrm: scheme" in text_of(app))
        shown = text_of(app)
        assert [f"winrm: {option.name}" in shown for option in KINDS["winrm"].options] == [True] * 5
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))
    (node,) = load_inventory(tmp_path / "configs" / "nodes.yaml").workers
    assert (node.name, node.transport) == ("gpu9", "winrm")
    assert dict(node.options) == {"scheme": "http", "auth": "ntlm"}


async def test_options_of_another_transport_are_not_saved(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("a", *"gpu9", "enter", *"127.0.0.9", "enter")
        await pilot.press("ctrl+u", *"winrm", "enter", *"http", "shift+tab", "ctrl+u", *"ssh", "ctrl+s")
        await until(pilot, lambda: bool(app.session.cards) and not isinstance(app.screen, FormScreen))
    (node,) = load_inventory(tmp_path / "configs" / "nodes.yaml").workers
    assert (node.transport, node.options) == ("ssh", ())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_field_can_be_reached(tmp_path: Path, size: tuple[int, int]) -> None:
    app = app_of(tmp_path)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("a", "enter", "enter", "ctrl+u", *"winrm", "enter")
        seen = []
        for _ in KINDS["winrm"].options:
            await pilot.press("x", "enter")
            seen.append(text_of(app))
        await pilot.press(*"root")
        await until(pilot, lambda: "root" in text_of(app))
        assert "winrm: python" in seen[-1]
