"""Wait for something outside of the test, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], T], seconds: float = 120.0) -> T:
    """Return the condition's first true value; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        await asyncio.sleep(0.01)
    return value


async def settled(measure: Callable[[], int], seconds: float = 120.0) -> int:
    """Return a measure that is over 0 and has not grown for a while."""
    deadline = time.monotonic() + seconds
    before, since = -1, time.monotonic()
    while not (before > 0 and time.monotonic() - since > 0.25):
        assert time.monotonic() < deadline, f"still growing after {seconds} s"
        await asyncio.sleep(0.01)
        if (now := measure()) != before:
            before, since = now, time.monotonic()
    return before
