"""Log panes: following, pausing, searching, filtering, errors across ranks, merging and folding."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.events import LogChunk, RankPlan, RunPlanned
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console
from tui.app import ConsoleApp
from tui.widgets.log_lines import LineOptions, rank_set, rows_of
from tui.widgets.log_pane import LogPane
from tui.widgets.tiles import Tiles


class Feed:
    """Writes lines into the logs of a run of ``ranks`` ranks."""

    def __init__(self, app: ConsoleApp, ranks: int = 2) -> None:
        self._app = app
        self._offsets = [0] * ranks
        plans = tuple(RankPlan(node=f"gpu{i % 2}", rank=i, local_rank=i // 2) for i in range(ranks))
        app.engine.absorb(
            [RunPlanned(run="r", world_size=ranks, master_address="a", master_port=1, ranks=plans)]
        )

    def __call__(self, rank: int, *lines: str, at: float = 0.0) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        self._app.engine.absorb([LogChunk(run="r", rank=rank, offset=self._offsets[rank], data=data, at=at)])
        self._offsets[rank] += len(data)


def monitor(ranks: int = 2) -> tuple[ConsoleApp, Feed]:
    app = console(mode="monitor", operations=Recorded(cards()))
    return app, Feed(app, ranks)


def pane(app: ConsoleApp) -> LogPane:
    found = app.mode_screen.query_one(Tiles).current
    assert found is not None
    return found


async def test_a_pane_follows_until_the_reader_scrolls_and_then_counts():
    app, feed = monitor()
    feed(0, *(f"line {n}" for n in range(100)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "line 99" in text_of(app)
        await pilot.press("pageup")
        await settled(pilot)
        top = pane(app).in_view()[0].text
        feed(0, *(f"more {n}" for n in range(50)))
        await settled(pilot)
        assert "‖ +50" in text_of(app)
        assert pane(app).in_view()[0].text == top
        assert "more" not in text_of(app)
        await pilot.press("G")
        await settled(pilot)
        assert "more 49" in text_of(app)
        assert "‖" not in text_of(app)


async def test_a_reader_stays_put_while_old_lines_are_dropped():
    app, feed = monitor()
    feed(0, *(f"line {n}" for n in range(30_000)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("home")
        await settled(pilot)
        first = pane(app).source.first
        assert pane(app).in_view()[0].text == f"line {first}"
        feed(0, *(f"more {n}" for n in range(30_000)))
        await settled(pilot)
        assert pane(app).source.first > first
        assert pane(app).in_view()[0].number == pane(app).source.first


async def test_space_pauses_and_goes_on():
    app, feed = monitor()
    feed(0, "one")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("space")
        feed(0, *(f"more {n}" for n in range(60)))
        await settled(pilot)
        assert "+60" in text_of(app)
        await pilot.press("space")
        await settled(pilot)
        assert "more 59" in text_of(app)


async def test_search_goes_from_match_to_match():
    app, feed = monitor()
    feed(0, *(f"step {n} loss {'high' if n % 50 == 7 else 'low'}" for n in range(200)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"HIGH", "enter")
        await until(pilot, lambda: "not found" in text_of(app))
        await pilot.press("escape", "slash", *["backspace"] * 4, *"high", "enter")
        await settled(pilot)
        assert pane(app).here == 157
        await pilot.press("N", "N")
        assert pane(app).here == 57
        await pilot.press("n")
        assert pane(app).here == 107
        await pilot.press("escape")
        await settled(pilot)
        assert pane(app).search is None
        assert pane(app).following


async def test_a_broken_expression_is_explained_and_the_prompt_stays():
    app, feed = monitor()
    feed(0, "x")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"/a(/", "enter")
        await until(pilot, lambda: "at position" in text_of(app))


async def test_a_filter_stays_when_panes_are_tiled_zoomed_and_merged():
    app, feed = monitor(8)
    for rank in range(8):
        feed(rank, "calm", f"loud {rank}", "calm again")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("ampersand", *"loud", "enter")
        for keys in ((), ("t",), ("z",), ("z",), ("m",), ("m",)):
            await pilot.press(*keys)
            await settled(pilot)
            assert "loud" in text_of(app), keys
            assert "calm" not in text_of(app), keys
        await pilot.press("escape")
        await settled(pilot)
        assert "calm again" in text_of(app)


async def test_lines_around_what_a_filter_shows_stay_through_toggles():
    app, feed = monitor(2)
    for rank in range(2):
        feed(rank, *(f"line {n} of {rank}" for n in range(30)), "boom", *(f"after {n}" for n in range(30)))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "context lines need a filter" in text_of(app))
        await pilot.press("ampersand", *"boom", "enter", "c")
        for keys in ((), ("z",), ("z",), ("m",), ("m",)):
            await pilot.press(*keys)
            await settled(pilot)
            shown = text_of(app)
            assert "& boom ±2" in shown, keys
            assert "▸ " in shown, keys
            assert ["line 27" in shown, "line 28" in shown] == [False, True], keys
            assert ["after 1" in shown, "after 2" in shown] == [True, False], keys
        feed(0, "quiet", "boom", "quiet")
        await until(pilot, lambda: "⋯" in text_of(app))
        await pilot.press("c", "c", "c")
        await until(pilot, lambda: "±" not in text_of(app) and "after 1" not in text_of(app))
        assert "boom" in text_of(app)


@pytest.mark.parametrize(("presses", "count"), [(0, 4), (1, 6), (2, 8), (3, 1), (4, 2)])
async def test_tilings(presses: int, count: int):
    app, feed = monitor(8)
    feed(0, "x")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(*["t"] * presses)
        await settled(pilot)
        assert len(app.mode_screen.query_one(Tiles).panes) == count
        assert pane(app).has_focus


async def test_errors_are_found_across_panes_and_in_ranks_without_a_pane():
    app, feed = monitor(8)
    feed(1, "fine", "ValueError: one", "fine")
    feed(6, "fine", "RuntimeError: six")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await settled(pilot)
        assert (pane(app).rank, pane(app).here) == (1, 1)
        await pilot.press("e")
        await settled(pilot)
        assert (pane(app).rank, pane(app).here) == (6, 1)


async def test_no_error_is_said():
    app, feed = monitor()
    feed(0, "fine")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "no line looks like an error" in text_of(app))


async def test_merged_lines_come_in_order_and_identical_ones_are_folded():
    app, feed = monitor()
    feed(0, "hello", at=1.0)
    feed(1, "hello", at=2.0)
    feed(0, "zero only", at=3.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("m")
        await settled(pilot)
        assert [(line.ranks, line.text) for line in pane(app).in_view()] == [
            ((0,), "hello"), ((1,), "hello"), ((0,), "zero only"),
        ]  # fmt: skip
        await pilot.press("o")
        await settled(pilot)
        assert "[0-1] gpu[0-1]   hello" in text_of(app)
        feed(1, "zero only", at=4.0)
        await settled(pilot)
        assert "[0-1] gpu[0-1]   zero only" in text_of(app)
        # Where there is no room for the nodes, the ranks stand alone.
        await pilot.resize_terminal(60, 24)
        await settled(pilot)
        assert "[0-1]   zero only" in text_of(app)


async def test_ranks_can_be_picked_by_number_and_node():
    app, feed = monitor(8)
    feed(0, "x")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        for typed, expected in [("2-3 6", [2, 3, 6]), ("gpu1", [1, 3, 5, 7])]:
            await pilot.press("p", *["backspace"] * 9, *typed.replace(" ", "_").split("_")[0])
            for rest in typed.split(" ")[1:]:
                await pilot.press("space", *rest)
            await pilot.press("enter")
            await settled(pilot)
            assert [one.rank for one in app.mode_screen.query_one(Tiles).panes] == expected
        await pilot.press("p", *["backspace"] * 9, *"gpu77", "enter")
        await until(pilot, lambda: "no rank or node" in text_of(app))


async def test_ranks_are_paged_and_panes_walked():
    app, feed = monitor(8)
    feed(0, "x")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("right_square_bracket")
        await settled(pilot)
        assert [one.rank for one in app.mode_screen.query_one(Tiles).panes] == [4, 5, 6, 7]
        await pilot.press("tab")
        assert pane(app).rank == 5
        await pilot.press("left_square_bracket", "shift+tab")
        await settled(pilot)
        assert pane(app).rank == 0


async def test_lines_are_saved_as_they_are_and_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    app, feed = monitor()
    feed(0, *(f"줄 {n}" for n in range(2500)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("s", "enter")
        path = tmp_path / "r-rank-0.log"
        await until(pilot, path.exists)
        assert path.read_text("utf-8") == "".join(f"줄 {n}\n" for n in range(2500))
        await pilot.press("s", "enter")
        await until(pilot, lambda: "that file exists" in text_of(app))


async def test_a_file_in_an_unknown_user_s_home_is_refused():
    app, feed = monitor()
    feed(0, "one")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("s", *["backspace"] * 20, *"~nosuchuser/x", "enter")
        await until(pilot, lambda: "No such file or directory" in text_of(app))


async def test_lines_in_view_are_copied():
    app, feed = monitor()
    feed(0, "one", "two")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard == "one\ntwo")


async def test_long_lines_are_wrapped_or_looked_along():
    app, feed = monitor()
    feed(0, "a" * 300 + "END")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "END" not in text_of(app)
        await pilot.press("w")
        await settled(pilot)
        assert "END" in text_of(app)
        await pilot.press("w", *["right"] * 30)
        await settled(pilot)
        assert "END" in text_of(app)


def test_wide_characters_never_overflow_a_row():
    from rich.cells import cell_len

    from fleet.logbook import Line

    for text in ("한" * 100, "a" + "한" * 100, "글 " * 60, "x" * 500):
        line = Line(0, (0,), 0.0, text)
        for options in (
            LineOptions(),
            LineOptions(wrap=True),
            LineOptions(side=7),
            LineOptions(times=True, label=rank_set),
        ):
            for row in rows_of(line, options, 41):
                assert cell_len("".join(part for part, _ in row.spans(None))) <= 41
    wrapped = rows_of(Line(0, (0,), 0.0, "한글 " * 30), LineOptions(wrap=True), 20)
    assert "".join(row.text for row in wrapped).replace(" ", "") == "한글" * 30


def test_sets_of_ranks_are_short():
    assert rank_set([3]) == "3"
    assert rank_set([0, 1, 2, 5, 7, 8]) == "[0-2,5,7-8]"
