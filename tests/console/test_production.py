"""A console on machines that others depend on: framed, named, and slow to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console
from tui.dialogs.confirm import ConfirmScreen
from tui.dialogs.form import FormScreen
from tui.keys.action import MODES
from tui.operations.interface import NodeCard


def production(nodes=None) -> Recorded:
    return Recorded(cards() if nodes is None else nodes, production=True)


@pytest.mark.parametrize(("lang", "word"), [("en", "PRODUCTION"), ("ko", "운영")])
async def test_every_mode_stands_in_a_frame_with_the_word(lang: str, word: str):
    app = console("monitor_busy", operations=production(), lang=lang)
    async with app.run_test(size=(80, 24)) as pilot:
        for number, mode in enumerate(MODES, 1):
            await pilot.press(str(number))
            await until(pilot, lambda mode=mode: app.mode_screen.mode == mode)
            await settled(pilot)
            first, *_, last = text_of(app).splitlines()
            assert f"▲ {word} ▲" in first, mode
            assert (first[0], last[0], last[-1]) == ("┏", "┗", "┛"), mode


async def test_the_frame_comes_and_goes_with_the_inventory_and_changes_its_language():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "PRODUCTION" not in text_of(app)
        app.operations.production = True
        app.engine.follow_inventory()
        await until(pilot, lambda: "▲ PRODUCTION ▲" in text_of(app))
        await pilot.press("f8")
        await until(pilot, lambda: "▲ 운영 ▲" in text_of(app))
        app.operations.production = False
        app.engine.follow_inventory()
        await until(pilot, lambda: "운영" not in text_of(app))


@pytest.mark.parametrize(
    ("mode", "key", "would"),
    [("nodes", "u", "up"), ("deploy", "d", "deploy"), ("deploy", "l", "launch")],
)
async def test_what_writes_is_asked_with_no_and_every_host(mode: str, key: str, would: str):
    nodes = [NodeCard(f"gpu{number}", f"10.0.0.{number}") for number in range(1, 41)]
    app = console(mode=mode, operations=production(nodes))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await settled(pilot)
        assert "gpu[1-40]" in text_of(app)
        assert text_of(app).count("▲ PRODUCTION ▲") == 2
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        assert app.operations.asked == [("watch",)]
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: [name for name, *_ in app.operations.asked] == ["watch", would])


async def test_retry_asks_too_and_elsewhere_a_deploy_does_not():
    for operations, asks in ((production(), True), (Recorded(cards()), False)):
        app = console("deploy_error", "deploy", operations=operations)
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            await pilot.press("r")
            if asks:
                await until(pilot, lambda app=app: isinstance(app.screen, ConfirmScreen))
                assert "연구실-3, gpu4" in text_of(app)
                await pilot.press("y")
            await until(pilot, lambda app=app: ("deploy", "연구실-3", "gpu4") in app.operations.asked)


@pytest.mark.parametrize("answer", ["enter", "y"])
async def test_saving_a_file_asks_and_names_every_host(answer: str, tmp_path: Path):
    path = tmp_path / "train_config.yaml"
    path.write_text("training:\n  batch_size: 4\n", "utf-8")
    operations = Recorded(cards(), folder=tmp_path, production=True)
    app = console("nodes_busy", "config", operations=operations)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f3", "enter", "ctrl+end", *"# new", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await until(pilot, lambda: "Save train_config.yaml?" in text_of(app))
        assert ", ".join(card.name for card in cards()) in text_of(app)
        assert "new" not in path.read_text("utf-8")
        await pilot.press(answer)
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        await settled(pilot)
        assert ("# new" in path.read_text("utf-8")) is (answer == "y")


async def test_adding_a_node_asks_and_what_is_wrong_comes_back_to_the_form():
    app = console("nodes_busy", operations=production())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        before = app.session.cards
        await pilot.press("a", *"gpu9", "ctrl+s")
        await until(pilot, lambda: "Add gpu9 to the inventory?" in text_of(app))
        await pilot.press("y")
        await until(pilot, lambda: "the address is missing" in text_of(app))
        await pilot.press("enter", *"10.0.0.9", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert app.session.cards == before
        await pilot.press("ctrl+s", "y")
        await until(pilot, lambda: [card.name for card in app.session.cards][-1] == "gpu9")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))


async def test_an_import_and_a_removal_ask():
    app = console("nodes_busy", operations=production())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("i", "enter")
        await until(pilot, lambda: "Add the nodes of workers.json to the inventory?" in text_of(app))
        await pilot.press("y")
        await until(pilot, lambda: "workers.json: no such file" in text_of(app))
        await pilot.press("G", "D", "enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        assert len(app.session.cards) == len(cards())


async def test_leaving_a_run_that_goes_on_is_no_writing():
    app = console("monitor_busy", "monitor", operations=production())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
    assert app.operations.closed
