"""The screen is drawn after a change and at each second, not by looking for changes all the time."""

from __future__ import annotations

import asyncio
import threading

from fleet.events import Notice
from tests.console.driving import settled, text_of, until
from tests.console.fakes import console
from tui.app import ConsoleApp
from tui.navigation.refresh import SHORTEST


def counted(app: ConsoleApp) -> list[int]:
    """Return a list that grows by the engine's version with each drawing."""
    drawn: list[int] = []
    draw = app._refresh._draw

    def count() -> None:
        drawn.append(app.engine.version)
        draw()

    app._refresh._draw = count
    return drawn


async def test_nothing_is_drawn_while_nothing_changes():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await settled(pilot)
        await asyncio.sleep(3 * SHORTEST)
        drawn = counted(app)
        await asyncio.sleep(1.2)
        assert drawn == []


async def test_many_changes_in_another_thread_make_few_drawings_and_the_last_is_drawn():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        drawn = counted(app)

        def change() -> None:
            for number in range(2000):
                app.engine.absorb([Notice(at=app.session.clock(), level="info", text=f"notice {number}")])

        thread = threading.Thread(target=change)
        began = asyncio.get_running_loop().time()
        thread.start()
        await until(pilot, lambda: "notice 1999" in text_of(app))
        took = asyncio.get_running_loop().time() - began
        thread.join()
        assert drawn[-1] == app.engine.version
        assert len(drawn) <= took / SHORTEST + 2


async def test_elapsed_time_is_drawn_each_second():
    now = [0.0]
    app = console("nodes_busy")
    app.session.clock = lambda: now[0]
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await settled(pilot)
        drawn = counted(app)
        now[0] = 60.0
        await until(pilot, lambda: drawn)


async def test_notices_of_a_recorded_run_are_no_toasts():
    app = console("nodes_busy")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        app.engine.absorb([Notice(at=1.0, level="warning", text="said in another session")])
        app.engine.absorb([Notice(at=app.session.clock(), level="warning", text="said now")])
        await until(pilot, lambda: "said now" in text_of(app))
        assert "said in another session" not in text_of(app)
        assert len(app.engine.state.notices) >= 2
