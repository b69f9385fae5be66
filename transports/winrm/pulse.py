"""Waking an event loop from other threads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Pulse:
    """Coroutines of ``loop`` wait for a state that threads change."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Say, from any thread, that something changed."""
        # The loop may be closed while a thread still ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    async def until(self, step: Callable[[], T | None]) -> T:
        """Call ``step`` after each change until it returns something."""
        while True:
            beat = self._beat
            result = step()
            if result is not None:
                return result
            await beat.wait()

    def _wake(self) -> None:
        self._beat.set()
        self._beat = asyncio.Event()
