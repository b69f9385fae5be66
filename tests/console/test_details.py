"""The details beside or below a list scroll by keys while the focus stays in the list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console.driving import settled, until
from tests.console.fakes import Recorded, cards, console, history
from tui.i18n import Texts
from tui.screens.help import help_lines
from tui.widgets.lines import Lines


class Faulty(Recorded):
    def check_inventory(self, text: str) -> list[str]:
        return [f"nodes.yaml:{number}: unknown key" for number in range(40)]


@pytest.mark.parametrize(
    ("mode", "recording", "panel"),
    [
        ("nodes", "nodes_busy", "#detail"),
        ("preflight", "preflight_error", "#detail"),
        ("deploy", "deploy_busy", "#detail"),
        ("runs", "monitor_error", "#detail"),
        ("config", "nodes_busy", "#meaning"),
        ("monitor", "monitor_busy", "#gpus"),
    ],
)
async def test_details_scroll_while_the_list_keeps_the_focus(
    mode: str, recording: str, panel: str, tmp_path: Path
):
    (tmp_path / "nodes.yaml").write_text("nodes: 4\n", "utf-8")
    operations = Faulty(cards(), runs=history(), folder=tmp_path)
    app = console(recording, mode, operations=operations)
    async with app.run_test(size=(110, 14)) as pilot:
        await settled(pilot)
        await pilot.press(*"jj")
        await settled(pilot)
        focused, details = app.focused, app.mode_screen.query_one(panel, Lines)
        assert details.max_scroll_y > 1
        await pilot.press("J", "shift+down")
        await until(pilot, lambda: details.scroll_y == 2)
        await pilot.press("K")
        await until(pilot, lambda: details.scroll_y == 1)
        await pilot.press(*["ctrl+d"] * 30)
        await until(pilot, lambda: details.scroll_y == details.max_scroll_y)
        await pilot.press(*["ctrl+u"] * 30)
        await until(pilot, lambda: details.scroll_y == 0)
        assert app.focused is focused


async def test_another_run_begins_at_the_top():
    app = console("monitor_error", "runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(110, 14)) as pilot:
        await settled(pilot)
        details = app.mode_screen.query_one("#detail", Lines)
        await pilot.press("J", "J")
        await until(pilot, lambda: details.scroll_y == 2)
        app.mode_screen.redraw()
        assert details.scroll_y == 2
        await pilot.press("j")
        await until(pilot, lambda: details.scroll_y == 0)


@pytest.mark.parametrize("mode", ["nodes", "monitor", "runs"])
def test_help_has_the_chart_and_the_details(mode: str):
    told = ["".join(text for text, _ in line) for line in help_lines(mode, Texts("en"), {}, 200)]
    assert any(line.split()[:1] == ["L"] for line in told)
    assert any(line.split()[:1] == ["J"] for line in told)
