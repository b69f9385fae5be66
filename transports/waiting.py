"""Reports of a wait that takes long, so that the user sees what it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from agent.wire.message import Message

#: Seconds between two reports of a wait.
REPORT_EVERY: Final = 5.0


@contextmanager
def reported(
    report: Callable[[Message], None], text: Callable[[float], Message], every: float | None = None
) -> Iterator[None]:
    """Call ``report`` with ``text(seconds waited)`` every few seconds until the block ends."""
    loop = asyncio.get_running_loop()
    began, pause = loop.time(), every or REPORT_EVERY
    timer: asyncio.TimerHandle

    def fire() -> None:
        nonlocal timer
        timer = loop.call_later(pause, fire)
        report(text(loop.time() - began))

    timer = loop.call_later(pause, fire)
    try:
        yield
    finally:
        timer.cancel()
