"""The command line: every action of every mode, from any other."""

from __future__ import annotations

import pytest

from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console, history
from tests.console.recorded_run import RUN
from tui.dialogs.confirm import ConfirmScreen
from tui.keys.action import MODES
from tui.navigation.commands import complete, nearest, parse, typed_actions, written
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

NAMES = {"node": ["gpu1", "gpu2"], "theme": ["dtui", "dtui-day"]}


@pytest.mark.parametrize("mode", MODES)
def test_every_action_is_reached_from_every_mode_in_full(mode: str):
    for action in typed_actions():
        for text in (written(action), action.id):
            found = parse(text, mode)
            assert found is not None, (text, mode)
            assert (found.action, found.argument) == (action, ""), text


@pytest.mark.parametrize(
    ("text", "mode", "means", "argument"),
    [
        ("preflight start", "runs", "preflight.start", ""),
        ("  Preflight   START ", "runs", "preflight.start", ""),
        ("deploy", "preflight", "app.deploy", ""),
        ("nodes filter gpu @big", "config", "nodes.filter", "gpu @big"),
        ("nodes.filter gpu", "config", "nodes.filter", "gpu"),
        ("start", "preflight", "preflight.start", ""),
        ("start", "deploy", "deploy.start", ""),
        ("filter x", "nodes", "nodes.filter", "x"),
        ("filter x", "monitor", "log.filter", "x"),
        ("search needle", "deploy", "log.search", "needle"),
        ("retry", "config", "deploy.retry", ""),
        ("stop", "nodes", "app.stop", ""),
        ("up", "monitor", "app.up", ""),
        ("log up", "nodes", "log.up", ""),
        ("theme dtui-day", "nodes", "app.theme", "dtui-day"),
        ("node gpu1", "runs", "app.node", "gpu1"),
    ],
)
def test_what_a_line_means(text: str, mode: str, means: str, argument: str):
    found = parse(text, mode)
    assert found is not None
    assert (found.action.id, found.argument) == (means, argument)


@pytest.mark.parametrize(
    "text", ["frobnicate", "start", "stop now", "list down", "deploy start gpu1", "nodes."]
)
def test_what_means_nothing(text: str):
    # `start` is of two modes, and this is neither; `stop` takes nothing; lists move by hand.
    assert parse(text, "runs") is None


def test_completions_are_lines_that_mean_something():
    assert complete("pref", "nodes", NAMES.get)[:2] == ["preflight", "preflight start"]
    assert complete("preflight st", "nodes", NAMES.get) == ["preflight start"]
    assert complete("fil", "nodes", NAMES.get) == ["filter"]
    assert complete("node g", "nodes", NAMES.get) == ["node gpu1", "node gpu2"]
    assert complete("theme dtui-", "nodes", NAMES.get) == ["theme dtui-day"]
    for line in complete("", "monitor", NAMES.get):
        assert parse(line, "monitor") is not None, line


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("depoly", "deploy"), ("prefligt start", "preflight start"), ("nodes fliter gpu", "nodes filter"),
     ("nodes.fliter", "nodes filter"), ("quti", "quit"), ("xyzzy", "")],
)  # fmt: skip
def test_the_nearest_command(typed: str, meant: str):
    assert nearest(typed, "monitor") == meant


async def typed(pilot, text: str) -> None:
    await pilot.press("colon")
    await until(pilot, lambda: pilot.app.mode_screen.query_one(Prompt).has_class("-open"))
    await pilot.press(*text)
    await pilot.press("enter")


async def test_a_command_goes_to_its_mode_and_acts_there():
    app = console("nodes_busy", "runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await typed(pilot, "preflight start")
        await until(pilot, lambda: any(asked[0] == "preflight" for asked in app.operations.asked))
        assert app.mode_screen.mode == "preflight"
        await typed(pilot, "nodes filter gpu2")
        await until(pilot, lambda: app.mode_screen.mode == "nodes")
        table = app.mode_screen.query_one("#nodes", Table)
        await until(pilot, lambda: [row.key for row in table.rows] == ["gpu2"])
        await typed(pilot, "deploy plan")
        await until(pilot, lambda: any(asked[0] == "plan" for asked in app.operations.asked))
        await typed(pilot, "node 연구실-3")
        await until(pilot, lambda: app.mode_screen.mode == "nodes")
        await typed(pilot, f"run {RUN}")
        await until(pilot, lambda: app.mode_screen.mode == "monitor")
        assert app.engine.state.run.id == RUN
        await typed(pilot, "search loss 1.")
        await until(pilot, lambda: "/ loss 1." in text_of(app))
        await typed(pilot, "theme dtui-safe")
        await until(pilot, lambda: app.theme == "dtui-safe")
        await typed(pilot, "language ko")
        await until(pilot, lambda: "사전 점검" in text_of(app))


async def test_what_writes_asks_as_its_key_does_and_is_refused_when_read_only():
    app = console("monitor_busy", "nodes")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await typed(pilot, "stop")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("escape")
        app.session.read_only = True
        await typed(pilot, "deploy start")
        await until(pilot, lambda: "not available in a read-only console" in text_of(app))
        assert app.operations.asked == [("watch",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depoly", "no such command; did you mean deploy?"),
        ("node gpu9", "there is no gpu9; did you mean gpu"),
        ("node", "a name is missing: node NAME"),
        ("theme pink", "there is no pink"),
        ("stop", "not possible now: stop"),
    ],
)
async def test_what_cannot_be_done_is_said(text: str, said: str):
    app = console("nodes_busy", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await typed(pilot, text)
        await until(pilot, lambda: said in text_of(app))
        assert app.mode_screen.mode == "preflight"


async def test_it_completes_while_it_is_typed():
    app = console("nodes_busy", "config")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon", *"preflight f")
        await until(pilot, lambda: "preflight failures" in text_of(app))
        assert "Rerun the failed checks" in text_of(app)
        await pilot.press("tab", "backspace", "backspace", "right", "enter")
        await until(pilot, lambda: app.mode_screen.mode == "preflight")
        await pilot.press("colon", *"node g", "tab", "tab")
        await until(pilot, lambda: "node gpu2" in text_of(app))
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: app.mode_screen.mode == "nodes")
        assert app.mode_screen.query_one("#nodes", Table).cursor == "gpu1"


async def test_the_palette_has_all_modes_and_the_runs():
    app = console("nodes_busy", "config", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p", *"11c0")
        await until(pilot, lambda: "Run r-0914-11c0" in text_of(app))
        await pilot.press("escape", "ctrl+p", *"Rerun the failed")
        await until(pilot, lambda: "Preflight · Rerun failed" in text_of(app))
