"""The console shows hostile nodes and programs in every mode: nothing of theirs reaches the terminal raw."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from fleet.events import LogChunk, Notice
from tests.console.driving import settled, text_of, until
from tests.console.fakes import NOW, Recorded, cards, console, recorded
from tests.console.recorded_fleet import START
from tests.hostile.terminal.hostile_events import ALL, hostile
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tui.app import ConsoleApp

RECORDINGS = ["nodes_busy", "nodes_error", "preflight_error", "deploy_busy", "deploy_error", "deploy_plan"]
RECORDINGS += ["monitor_busy", "monitor_error"]
MODES = ["nodes", "preflight", "deploy", "monitor", "runs", "config"]


def hostile_console(recording: str, mode: str, attack: str = ALL) -> ConsoleApp:
    operations = Recorded([replace(card, address=attack, tags=(attack,)) for card in cards()])
    operations.project = attack
    app = console(mode=mode, operations=operations)
    now = START + NOW[recording]
    app.session.clock = app.engine._clock = lambda: now
    app.engine.absorb(hostile(recording, attack))
    return app


def recorded_end(rank: int) -> int:
    """Return the offset at which a rank's log ends in the recording of a busy monitor."""
    chunks = [one for one in recorded("monitor_busy") if isinstance(one, LogChunk) and one.rank == rank]
    return max((one.offset + len(one.data) for one in chunks), default=0)


def drawn(app: ConsoleApp) -> Iterator[str]:
    """Yield the text of each segment that goes to the terminal."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control is None
            assert segment.style is None or segment.style.link is None
            assert (
                segment.style is None
                or "@click" not in segment.style.meta
                or "quit" not in str(segment.style.meta)
            )
            yield segment.text


def check(app: ConsoleApp) -> str:
    for text in drawn(app):
        assert unsafe_in(text) == [], repr(text)
        assert "SEFDS0VE" not in text
        assert "HACKED" not in text
    return text_of(app)


@pytest.mark.parametrize("recording", RECORDINGS)
async def test_no_screen_draws_a_control_character(recording: str) -> None:
    mode = recording.partition("_")[0]
    app = hostile_console(recording, mode)
    async with app.run_test(size=(200, 60)) as pilot:
        await settled(pilot)
        seen = check(app)
        for key in ("f1", "escape", "enter", "escape"):
            await pilot.press(key)
            await pilot.pause()
            seen += check(app)
    assert "HARM" in seen


@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_is_safe_with_a_hostile_run(mode: str) -> None:
    app = hostile_console("monitor_error", mode)
    async with app.run_test(size=(160, 50)) as pilot:
        await settled(pilot)
        check(app)
        app.action_app_language()
        await settled(pilot)
        check(app)


async def press_through(pilot: Pilot[None], app: ConsoleApp, *keys: str) -> str:
    seen = ""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        seen += check(app)
    return seen


async def test_toasts_notices_questions_and_the_palette_show_text_as_it_is() -> None:
    app = hostile_console("monitor_error", "nodes")
    async with app.run_test(size=(160, 50), notifications=True) as pilot:
        await settled(pilot)
        short = ATTACKS["clipboard"] + ATTACKS["clear screen"]
        app.notify(f"[bold]{short}[/bold]", title=short)
        await until(pilot, lambda: "[bold]HARM" in check(app))
        app.clear_notifications()
        app.engine.notify("error", f"[@click=app.quit]{ALL}", remedy=ALL, node=ALL)
        await until(pilot, lambda: "[@click=app.quit]HARM" in check(app))
        app.clear_notifications()
        app.dialogs.confirm(f"[red]{ATTACKS['clipboard']}", [ALL] * 3, lambda: None)
        await until(pilot, lambda: "[red]HARM" in check(app))
        await pilot.press("escape")
        app.action_app_notices()
        await until(pilot, lambda: "HARM" in check(app))
        await pilot.press("escape")
        app.action_app_palette()
        await pilot.pause(0.1)
        await press_through(pilot, app, "h", "a", "r", "m")
        assert app.is_running


@pytest.mark.parametrize("name", ATTACKS)
async def test_each_attack_as_a_log_line(name: str) -> None:
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(160, 50)) as pilot:
        await settled(pilot)
        run = app.engine.state.run
        assert run is not None
        data = f"{ATTACKS[name]}\nafter\n".encode("utf-8", "surrogatepass")
        for rank in run.ranks:
            end = recorded_end(rank)
            app.engine.absorb([LogChunk(run=run.id, rank=rank, node="gpu1", offset=end, data=data, at=START)])
        await settled(pilot)
        seen = check(app)
    assert "after" in seen


async def test_colours_of_a_program_are_shown() -> None:
    app = console("monitor_busy", "monitor")
    async with app.run_test(size=(160, 50)) as pilot:
        await settled(pilot)
        run = app.engine.state.run
        assert run is not None
        data = b"\x1b[32mgreen\x1b[0m plain\n"
        end = recorded_end(0)
        app.engine.absorb([LogChunk(run=run.id, rank=0, node="gpu1", offset=end, data=data, at=START)])
        await settled(pilot)
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.text == "green"]
        others = [segment.style for strip in strips for segment in strip if segment.text.startswith(" plain")]
    assert styles
    assert styles[0] is not None
    assert others[0] is not None
    assert styles[0].color != others[0].color


async def test_a_huge_error_takes_no_time_in_korean() -> None:
    app = console("nodes_busy", "nodes", lang="ko")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.engine.absorb([Notice(node="gpu1", at=START, level="error", text=ATTACKS["long"])])
        app.action_app_notices()
        await settled(pilot)
        assert "HARM" in check(app)
