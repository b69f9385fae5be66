"""Waiting for a console under test: for a condition, or until nothing changes any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from tui.app import ConsoleApp

DEADLINE = 180.0


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the app work until ``condition`` holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await pilot.pause(0.01)


async def settled(pilot: Pilot[None]) -> str:
    """Return the screen as SVG once two looks at it are the same."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    before = ""
    async with asyncio.timeout(DEADLINE):
        while True:
            await pilot.pause()
            # One that reads something newer takes the place of one that has not come to its end.
            with suppress(WorkerCancelled):
                await app.workers.wait_for_complete()
            app.mode_screen.redraw()
            await pilot.pause()
            now = app.export_screenshot(title="dtui", simplify=True)
            if now == before:
                return now
            before = now


def text_of(app: ConsoleApp) -> str:
    """Return what is on the screen as plain lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)
