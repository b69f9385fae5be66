"""A condition that threads notify and coroutines wait for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class LoopCondition:
    """Coroutines of ``loop`` wait for a state that threads change."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._notified = asyncio.Event()

    def notify(self) -> None:
        """Wake the waiting coroutines; callable from any thread."""
        # The loop may be closed while a thread still ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    async def wait_for(self, step: Callable[[], T | None]) -> T:
        """Call ``step`` now and after each notification, until it returns a value other than None."""
        while True:
            notified = self._notified
            result = step()
            if result is not None:
                return result
            await notified.wait()

    def _wake(self) -> None:
        self._notified.set()
        self._notified = asyncio.Event()
