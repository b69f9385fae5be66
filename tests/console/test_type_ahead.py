"""Keys that arrive together: those behind the one that opens a prompt or a form belong in there."""

from __future__ import annotations

import pytest
from textual import events

from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console, history
from tests.console.recorded_run import RUN
from tui.app import ConsoleApp
from tui.dialogs.confirm import ConfirmScreen
from tui.dialogs.form import FormScreen
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

NAMES = {"/": "slash", ":": "colon", "&": "ampersand", "\n": "enter", " ": "space", "@": "at", "-": "minus"}


def at_once(app: ConsoleApp, text: str) -> None:
    """Let the keys of a text arrive in one piece, as a terminal hands on what is pasted without brackets."""
    for character in text:
        app.post_message(events.Key(NAMES.get(character, character), character))


def open_prompt(app: ConsoleApp) -> bool:
    return app.mode_screen.query_one(Prompt).has_class("-open")


@pytest.mark.parametrize("before", ["", "j", "3 1"])
async def test_a_command_and_a_filter_in_one_piece(before: str):
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        at_once(app, f"{before}:preflight start\n")
        await until(pilot, lambda: any(asked[0] == "preflight" for asked in app.operations.asked))
        await pilot.press("1")
        at_once(app, "/@big\n")
        table = app.mode_screen.query_one("#nodes", Table)
        await until(pilot, lambda: [row.key for row in table.rows] == ["gpu2"] and not open_prompt(app))


async def test_a_search_in_a_log_that_asks_its_screen_for_the_prompt():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        at_once(app, "/loss 0.4\nN")
        await until(pilot, lambda: "/ loss 0.4" in text_of(app))
        await settled(pilot)
        assert not open_prompt(app)
        # Every letter that is a key of the pane has gone into the prompt.
        assert not app.mode_screen.tiles.options.wrap
        assert app.mode_screen.tiles.filter is None
        at_once(app, "&step\n")
        await until(pilot, lambda: app.mode_screen.tiles.filter is not None)
        assert app.mode_screen.tiles.filter.typed == "step"


async def test_a_form_and_a_question_take_what_is_typed_behind_the_key_that_opens_them():
    app = console(operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        at_once(app, "agpu9\n10.0.0.9\n")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and "10.0.0.9" in text_of(app))
        assert "gpu9" in text_of(app)
        await pilot.press("escape")
        at_once(app, "uy")
        await until(pilot, lambda: any(asked[0] == "up" for asked in app.operations.asked))
        assert not isinstance(app.screen, ConfirmScreen)


async def test_a_paste_lands_in_the_prompt_also_one_right_behind_its_key():
    app = console("nodes_busy", "runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon")
        app.post_message(events.Paste(f"run {RUN}\nquit"))
        await until(pilot, lambda: f"run {RUN}" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.mode_screen.mode == "monitor")
        at_once(app, ":")
        app.post_message(events.Paste("nodes filter gpu2"))
        at_once(app, "\n")
        await until(pilot, lambda: app.mode_screen.mode == "nodes" and app.mode_screen.query(Table))
        table = app.mode_screen.query_one("#nodes", Table)
        await until(pilot, lambda: [row.key for row in table.rows] == ["gpu2"])


async def test_keys_are_taken_when_the_pane_with_the_focus_goes_among_others():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("shift+tab")
        pane = app.mode_screen.tiles.current
        assert app.focused is pane
        # Of nine panes one stays; the focus was in the fourth.
        at_once(app, "ttt/loss\n")
        await until(pilot, lambda: "/ loss" in text_of(app))
        assert not pane.is_attached


async def test_panes_that_go_and_come_in_one_breath_are_all_there():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        at_once(app, "tttt")
        await until(pilot, lambda: "rank 1" in text_of(app) and "rank 2" not in text_of(app))
        assert len(app.mode_screen.tiles.panes) == 2


async def test_keys_act_although_a_pane_has_got_the_focus_as_it_went_away():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        pane = app.mode_screen.tiles.panes[-1]
        app.mode_screen.tiles.remove_children([pane])
        app.mode_screen.set_focus(pane)
        await until(pilot, lambda: not pane.is_attached)
        assert app.focused is pane
        await pilot.press("q")
        await until(pilot, lambda: f"Run {RUN} keeps running" in text_of(app))
