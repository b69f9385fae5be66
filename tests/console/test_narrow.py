"""A terminal of 80x24 has all that a person needs: nothing is cut off that can't be reached."""

from __future__ import annotations

import pytest

from tests.console.driving import settled, text_of, until
from tests.console.fakes import console
from tui.i18n import LANGUAGES, Texts
from tui.keys.registry import find
from tui.views.nodes import TAGS


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_the_form_fits(lang: str):
    texts = Texts(lang)
    app = console("nodes_busy", lang=lang)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("a")
        wanted = [texts("form.add_title"), texts.translate(TAGS), texts("form.keys").split(":")[0]]
        await until(pilot, lambda: all(text in text_of(app) for text in wanted))
        assert not app.screen.show_vertical_scrollbar


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_the_help_is_not_cut_off(lang: str):
    app = console("monitor_busy", "monitor", lang=lang)
    found = find("log.context")
    assert found is not None
    words = Texts(lang).translate(found.help).split()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: words[0] in text_of(app))
        shown = text_of(app).split()
        assert [word for word in words if word not in shown] == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_key_that_ends_a_run_stays_in_the_key_bar(size: tuple[int, int]):
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert "X Stop run" in text_of(app).splitlines()[-1]


async def test_a_pane_that_a_filter_leaves_empty_says_so():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("ampersand", *"xyzzy", "enter")
        await until(pilot, lambda: text_of(app).count("no line has this yet") == 4)
