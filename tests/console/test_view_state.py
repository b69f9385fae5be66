"""What is kept between two starts, and through every toggle within one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console, history
from tui.app import ConsoleApp
from tui.screens.columns import ColumnsScreen
from tui.state.view_state import ViewState
from tui.widgets.table import Table
from tui.widgets.tiles import Tiles


def started(kept: ViewState, recording: str, mode: str = "", **options: object) -> ConsoleApp:
    """Return a console as :func:`tui.cli.console_launch.run_console` opens it."""
    options.setdefault("operations", Recorded(cards(), runs=history()))
    return console(
        recording, mode or kept.mode, lang=kept.lang, theme=kept.theme, views=kept.views, **options
    )


def left(app: ConsoleApp, path: Path) -> ViewState:
    """Return what a second start reads after the first was left."""
    ViewState(app.session.texts.lang, app.theme, app.session.shown_mode, app.session.views).save(path)
    return ViewState.load(path)


def headings(app: ConsoleApp) -> list[str]:
    return [column.key for column in app.mode_screen.query_one("#nodes", Table).columns]


async def test_the_nodes_look_as_they_were_left(tmp_path: Path):
    app = started(ViewState(), "nodes_busy")
    async with app.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"gpu", "enter")
        await pilot.press("s", "s", "c")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        await pilot.press("j", "J", "j", "j", "space", "enter")
        await until(pilot, lambda: not isinstance(app.screen, ColumnsScreen))
        await pilot.press("G", "up", "f8", "f9")
        await settled(pilot)
        cursor, shown = app.mode_screen.query_one("#nodes", Table).cursor, headings(app)
        rows = [row.key for row in app.mode_screen.query_one("#nodes", Table).rows]
    assert shown[:3] == ["node", "address", "link"]
    assert "system" not in shown
    assert len(shown) == 12

    again = started(left(app, tmp_path / "console.json"), "nodes_busy")
    async with again.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        table = again.mode_screen.query_one("#nodes", Table)
        assert headings(again) == shown
        assert [row.key for row in table.rows] == rows
        assert table.cursor == cursor
        assert again.session.texts.lang == "ko"
        assert again.theme == app.theme
        assert "연결 순" in text_of(again)
        assert "표시: gpu" in text_of(again)


async def test_the_monitor_looks_as_it_was_left(tmp_path: Path):
    app = started(ViewState(), "monitor_busy", "monitor")
    async with app.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        await pilot.press("t", "t", "w", "T", "v", "ampersand", *"step", "enter", "c", "m", "o")
        await settled(pilot)
    kept = left(app, tmp_path / "console.json")
    assert kept.mode == "monitor"

    again = started(kept, "monitor_busy")
    async with again.run_test(size=(200, 50)) as pilot:
        await settled(pilot)
        shown = text_of(again)
        assert "merged [0-7] · folded" in shown
        assert "& step ±2" in shown
        assert "Loss by step" not in shown
        await pilot.press("m")
        await settled(pilot)
        tiles = again.mode_screen.query_one(Tiles)
        assert len(tiles.panes) == 8
        assert all(pane.options.wrap and pane.options.times for pane in tiles.panes)
        assert tiles.filter is not None


async def test_the_routes_are_shown_again(tmp_path: Path):
    app = started(ViewState(), "preflight_busy", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("w")
        await settled(pilot)
    again = started(left(app, tmp_path / "console.json"), "preflight_busy")
    async with again.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "→ gpu1" in text_of(again)


async def test_run_and_file_are_kept(tmp_path: Path):
    for name in ("nodes.yaml", "train_config.yaml"):
        (tmp_path / name).write_text("training:\n  batch_size: 4\n", "utf-8")
    operations = Recorded(cards(), runs=history(), folder=tmp_path)
    app = started(ViewState(), "", "runs", operations=operations)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("j", "6")
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
    kept = left(app, tmp_path / "console.json")
    again = started(kept, "", operations=operations)
    async with again.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "batch_size: 4" in text_of(again)
        assert "Effective batch" in text_of(again)
        await pilot.press("5")
        await settled(pilot)
        assert again.mode_screen.query_one("#runs", Table).cursor == "r-0914-11c0"


BROKEN = {
    "nothing": "",
    "no JSON": "{",
    "bytes": "\x00\x01",
    "a list": "[1, 2]",
    "nested deep": "[" * 100_000,
    "of before": '{"lang": "ko", "theme": "dtui-day"}',
    "a theme that went": '{"theme": "no-such-theme", "mode": "garden"}',
    "wrong kinds": json.dumps(
        {
            "lang": 5,
            "theme": ["x"],
            "mode": {"a": 1},
            "views": {
                "nodes": {"sort": 1, "filter": [], "columns": "node", "hidden": [1, "x", None], "node": {}},
                "monitor": {"tiling": 5, "merged": "yes", "filter": "/[/", "wrap": 1, "folded": None},
                "runs": [],
                "config": {"file": "passwd"},
                "garden": {},
            },
        }
    ),
    "everything hidden": json.dumps(
        {"views": {"nodes": {"hidden": ["node", "link", "gpus", "nowhere"], "columns": ["tags", "tags"]}}}
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_a_file_that_is_damaged_or_of_another_version_stops_nothing(text: str, tmp_path: Path):
    path = tmp_path / "console.json"
    path.write_text(text, "utf-8")
    app = started(ViewState.load(path), "monitor_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for key, mode in zip(
            "456321", ("monitor", "runs", "config", "deploy", "preflight", "nodes"), strict=True
        ):
            await pilot.press(key)
            await until(pilot, lambda mode=mode: app.mode_screen.mode == mode)
            await settled(pilot)
        assert "node" in headings(app)
        assert len(app.mode_screen.query_one("#nodes", Table).rows) == len(cards())


async def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path):
    (tmp_path / "file").write_text("", "utf-8")
    ViewState("ko").save(tmp_path / "file" / "console.json")
    assert ViewState.load(tmp_path / "file" / "console.json") == ViewState()


async def test_the_other_language_loses_nothing(tmp_path: Path):
    (tmp_path / "nodes.yaml").write_text("nodes:\n", "utf-8")
    app = started(ViewState(), "monitor_busy", "monitor", operations=Recorded(cards(), folder=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("t", "ampersand", *"step", "enter", "f8")
        await until(pilot, lambda: "모니터" in text_of(app) and "& step" in text_of(app))
        assert app.mode_screen.query_one(Tiles).count == 6
        await pilot.press("1")
        await until(pilot, lambda: app.mode_screen.mode == "nodes")
        await pilot.press("j", "space", "f8")
        await until(pilot, lambda: "1 marked" in text_of(app))
        assert app.mode_screen.query_one("#nodes", Table).cursor == "gpu2"
        assert app.session.targets() == ["gpu1"]
        await pilot.press("6")
        await until(pilot, lambda: app.mode_screen.mode == "config")
        await pilot.press("enter", *"hello", "f8")
        await until(pilot, lambda: "저장 안 됨" in text_of(app) or "바뀜" in text_of(app))
        await settled(pilot)
        assert "hellonodes:" in text_of(app)


async def test_an_emptied_inventory_is_not_saved(tmp_path: Path):
    (tmp_path / "nodes.yaml").write_text("nodes: 5\n", "utf-8")

    class Strict(Recorded):
        def check_inventory(self, text: str) -> list[str]:
            return [] if text.strip() else ["the file is empty"]

    app = started(ViewState(), "", "config", operations=Strict(cards(), folder=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("enter", "f7", "backspace")
        await until(pilot, lambda: "nodes: 5" not in text_of(app))
        await pilot.press("ctrl+s")
        await settled(pilot)
        assert (tmp_path / "nodes.yaml").read_text("utf-8") == "nodes: 5\n"
        assert ("reload",) not in app.operations.asked


async def test_routes_of_an_earlier_version_are_shown_again():
    kept = ViewState(mode="preflight", views={"preflight": {"ways": True}})
    app = started(kept, "preflight_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "→ gpu1" in text_of(app)
