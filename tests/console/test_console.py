"""The console as a person uses it: keys in, what is asked of the fleet and what is on the screen out."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from fleet.events import LinkChanged, LogChunk, RankExited, RankPlan, RunFinished, RunPlanned
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console, history, recorded
from tests.console.recorded_run import RUN
from tui.dialogs.confirm import ConfirmScreen
from tui.dialogs.form import FormScreen
from tui.keys.keymap import user_keymap
from tui.screens.help import HelpScreen
from tui.widgets.tiles import Tiles


async def test_number_keys_go_to_the_modes():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        for key, mode in zip(
            "234561", ("preflight", "deploy", "monitor", "runs", "config", "nodes"), strict=True
        ):
            await pilot.press(key)
            await until(pilot, lambda mode=mode: app.mode_screen.mode == mode)


async def test_run_all_asks_and_acts_on_the_marked_nodes():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("j", "space", "space", "u")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "2 nodes" in text_of(app)
        assert app.operations.asked == [("watch",)]
        await pilot.press("y")
        await until(pilot, lambda: ("up", "gpu1", "gpu2") in app.operations.asked)
        await until(pilot, lambda: app.mode_screen.mode == "deploy")


async def test_stop_asks_names_what_it_hits_and_no_is_the_default():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "8 ranks on 4 nodes" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        assert app.operations.asked == [("watch",)]
        await pilot.press("X", "y")
        await until(pilot, lambda: ("stop", RUN, False) in app.operations.asked)


async def test_leaving_says_that_the_run_goes_on_and_stops_nothing():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert f"Run {RUN} keeps running" in text_of(app)
        await pilot.press("y")
    assert app.operations.closed
    assert app.operations.asked == [("watch",)]


@pytest.mark.parametrize("exited", [0, 7, 8])
async def test_leaving_asks_or_leaves_in_the_moment_in_which_a_stopped_run_ends(exited: int):
    app = console("monitor_busy", "monitor")
    ends = [RankExited(run=RUN, rank=rank, code=0, stopped=True, at=app.session.clock()) for rank in range(8)]
    app.engine.absorb(ends[:exited])
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.post_message(events.Key("q", "q"))
        app.engine.absorb([*ends[exited:], RunFinished(run=RUN, outcome="stopped", at=app.session.clock())])
        await until(pilot, lambda: not app.is_running or f"Run {RUN} keeps running" in text_of(app))


async def test_a_read_only_console_offers_nothing_that_writes():
    app = console("deploy_error", "deploy", read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        shown = text_of(app)
        assert "READ-ONLY" in shown
        assert "Deploy" not in shown.splitlines()[-1]
        await pilot.press("d", "r", "u", "l")
        await settled(pilot)
        assert app.operations.asked == [("watch",)]
        await pilot.press("p")
        await until(pilot, lambda: app.operations.asked[-1][0] == "plan")


async def test_retry_takes_the_failed_nodes_only():
    app = console("deploy_error", "deploy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("r")
        await until(pilot, lambda: ("deploy", "연구실-3", "gpu4") in app.operations.asked)


async def test_events_of_an_operation_reach_the_screen():
    told = {"up": recorded("deploy_busy")}
    app = console(operations=Recorded(cards(), told=told))
    async with app.run_test(size=(160, 40)) as pilot:
        await settled(pilot)
        await pilot.press("u", "y")
        await until(pilot, lambda: "2069/2406" in text_of(app))


async def test_the_monitor_opens_when_the_run_is_planned():
    app = console(operations=Recorded(cards(), told={"up": recorded("monitor_busy")}))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("u", "y")
        await until(pilot, lambda: app.mode_screen.mode == "monitor")
        await until(pilot, lambda: "700/2000" in text_of(app))


async def test_a_run_that_goes_on_is_taken_up_at_the_start():
    runs = (history()[0].__class__(RUN, 0.0, None, "", "", 8, 4),)
    app = console(operations=Recorded(cards(), runs=runs, told={"attach": recorded("monitor_busy")}))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: ("attach", RUN) in app.operations.asked)
        await until(pilot, lambda: app.mode_screen.mode == "monitor")


async def test_nodes_can_be_filtered_by_word_and_tag():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"@big", "enter")
        await settled(pilot)
        table = app.mode_screen.query_one("#nodes")
        assert [row.key for row in table.rows] == ["gpu2"]
        await pilot.press("slash", *["backspace"] * 4, *"4090", "enter")
        await settled(pilot)
        assert [row.key for row in table.rows] == ["master", "gpu1"]


async def test_a_node_can_be_added_and_what_is_wrong_is_said():
    app = console(operations=Recorded())
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "No nodes yet" in text_of(app)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press(*"gpu9", "ctrl+s")
        await until(pilot, lambda: "the address is missing" in text_of(app))
        await pilot.press("enter", *"10.0.0.9", "ctrl+s")
        await until(pilot, lambda: "gpu9" in text_of(app) and not isinstance(app.screen, FormScreen))
        assert "10.0.0.9" in text_of(app)


async def test_a_node_can_be_taken_out_after_asking():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("G", "D", "y")
        await until(
            pilot, lambda: [card.name for card in app.session.cards] == [c.name for c in cards()[:-1]]
        )


async def test_the_language_changes_at_once():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f8")
        await until(pilot, lambda: "사전 점검" in text_of(app) and "연결됨" in text_of(app))


async def test_own_keys_replace_the_given_ones_in_bar_and_help():
    app = console("nodes_busy", keymap={"app.up": "f5"})
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "F5 Run all" in text_of(app)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))


def test_a_keymap_with_the_name_of_an_earlier_version_is_read(tmp_path: Path):
    file = tmp_path / "keys.yaml"
    file.write_text("preflight.ways: f6\napp.up: f5\nno.action: f7\n", "utf-8")
    assert user_keymap(file) == {"preflight.routes": "f6", "app.up": "f5"}


async def test_help_opens_scrolls_and_closes():
    app = console("nodes_busy")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("G")
        await until(pilot, lambda: "Quit dtui" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_messages_are_shown_the_newest_first():
    app = console("nodes_error")
    texts = ("the first thing", "the second thing")
    for text in texts:
        app.engine.notify("error", text)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: "the first thing" in text_of(app))
        shown = text_of(app)
        assert shown.index("the second thing") < shown.index("the first thing")
        assert "Go to mode 1" not in shown, "the panel is not the help"


async def test_the_palette_finds_actions_and_nodes():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p", *"연구실")
        await until(pilot, lambda: "Node 연구실-3" in text_of(app))
        await pilot.press("enter")
        await pilot.press("enter")
        await until(pilot, lambda: app.mode_screen.query_one("#nodes").cursor == "연구실-3")


async def test_typed_commands():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("colon", *"frobnicate", "enter")
        await until(pilot, lambda: "no such command: frobnicate" in text_of(app))
        await pilot.press("escape", "colon", *"deploy", "enter")
        await until(pilot, lambda: app.mode_screen.mode == "deploy")


async def test_the_failing_rank_comes_into_view():
    app = console("monitor_error", "monitor")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        shown = text_of(app)
        assert "the GPU's memory is full" in shown
        assert "rank 7 연구실-3:1" in shown
        assert "torch.OutOfMemoryError" in shown


async def test_a_recorded_run_is_shown_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = console(mode="runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "the GPU's memory is full" in text_of(app))
        await settled(pilot)
        await pilot.press("o", "enter")
        await until(pilot, lambda: (tmp_path / f"{RUN}.md").exists())
        assert "rank 7" in (tmp_path / f"{RUN}.md").read_text("utf-8")
        await pilot.press("enter")
        await until(pilot, lambda: app.mode_screen.mode == "monitor")
        assert app.engine.state.run.outcome == "failed"


async def test_two_runs_are_compared_down_to_their_settings():
    app = console(mode="runs", operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: "training.batch_size  8 → 4" in text_of(app))
        assert "learning_rate" not in text_of(app)
        assert "9f3a61c0" in text_of(app)
        # The third is from before settings were kept: nothing is made up.
        await pilot.press("up", "space", "down", "space", "c")
        await until(pilot, lambda: "differ" not in text_of(app))


async def test_preflight_again_for_one_cell_or_the_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = console("preflight_error", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("l", "j", "r")
        await until(pilot, lambda: ("preflight", ("gpu1",), ("ssh",)) in app.operations.asked)
        await until(pilot, lambda: "preflight" not in app.engine.running)
        await pilot.press("f")
        await until(
            pilot, lambda: ("preflight", ("연구실-3", "gpu4"), ("29500", "ping")) in app.operations.asked
        )
        await pilot.press("o", "enter")
        await until(pilot, lambda: (tmp_path / "preflight.md").exists())
        assert "| gpu4 | ✗ failed |" in (tmp_path / "preflight.md").read_text("utf-8")


async def test_a_key_fixes_what_dtui_can_fix(tmp_path: Path):
    app = console("preflight_error", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("m", *"jjjjjlll", "m")  # the first is on a cell that is well
        await until(pilot, lambda: ("fix", ("연구실-3", "29500")) in app.operations.asked)
        await until(pilot, lambda: "fix" not in app.engine.running)
        await pilot.press("w", "home", "j", "m")
        await until(pilot, lambda: app.operations.asked.count(("fix", ("연구실-3", "29500"))) == 2)
        assert [asked for asked in app.operations.asked if asked[0] == "fix"] == [
            ("fix", ("연구실-3", "29500"))
        ] * 2
        await pilot.press("r")
        await until(
            pilot,
            lambda: ("preflight", ("gpu1", "연구실-3"), ("ports", "network")) in app.operations.asked,
        )


async def test_a_read_only_console_fixes_nothing(tmp_path: Path):
    app = console("preflight_error", "preflight", read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(*"jjjjjlll", "m", "M")
        await settled(pilot)
        assert app.operations.asked == [("watch",)]


async def test_a_faulty_configuration_is_not_saved_and_a_valid_one_is(tmp_path: Path):
    (tmp_path / "nodes.yaml").write_text("nodes: 4\n", "utf-8")
    app = console("nodes_busy", "config", operations=Recorded(cards(), folder=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("enter", "end", "backspace", "5", "ctrl+s")
        await until(pilot, lambda: "expected a list" in text_of(app))
        assert (tmp_path / "nodes.yaml").read_text("utf-8") == "nodes: 4\n"
        await pilot.press("backspace", "6", "ctrl+s")
        await until(pilot, lambda: (tmp_path / "nodes.yaml").read_text("utf-8") == "nodes: 6\n")
        assert ("reload",) in app.operations.asked


async def test_weights_and_biases_is_one_key(tmp_path: Path):
    path = tmp_path / "train_config.yaml"
    path.write_text("training:\n  batch_size: 4\nwandb:\n  project: x\n  enabled: false\n", "utf-8")
    app = console("nodes_busy", "config", operations=Recorded(cards(), folder=tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f4")
        await until(pilot, lambda: "on, project x" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "enabled: true" in path.read_text("utf-8"))


async def test_a_terminal_that_is_resized_keeps_working():
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(200, 50)) as pilot:
        for size in [(20, 5), (1, 1), (300, 100), (80, 24)]:
            await pilot.resize_terminal(*size)
            await settled(pilot)
        assert len(app.mode_screen.query_one(Tiles).panes) == 4


async def test_a_hundred_nodes_in_every_mode():
    names = [f"gpu{number}" for number in range(100)]
    operations = Recorded([type(cards()[0])(name, f"10.0.0.{i}") for i, name in enumerate(names)])
    app = console(operations=operations)
    ranks = tuple(RankPlan(node=names[i // 8], rank=i, local_rank=i % 8) for i in range(800))
    app.engine.absorb(LinkChanged(node=name, state="up", latency_ms=1.0) for name in names)
    app.engine.absorb(
        [RunPlanned(run="r", world_size=800, master_address="a", master_port=1, ranks=ranks)]
        + [LogChunk(run="r", rank=i, offset=0, data=b"hello\n", at=float(i)) for i in range(800)]
    )
    async with app.run_test(size=(120, 40)) as pilot:
        for key in "12345":
            await pilot.press(key)
            await settled(pilot)
        await pilot.press("1", "G")
        await until(pilot, lambda: "gpu99" in text_of(app))
        await pilot.press("4", "m", "o")
        await until(pilot, lambda: "[0-799]" in text_of(app))
