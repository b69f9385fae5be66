"""Many event streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def merge(*sources: AsyncIterator[T], limit: int = 1024) -> AsyncGenerator[T, None]:
    """Yield the items of all sources as they come.

    A source that is ahead waits once ``limit`` items are unread. The first exception of a source ends
    the others and is raised; closing the merged stream ends all of them.
    """
    if not sources:
        return
    queue: asyncio.Queue[tuple[T | None, BaseException | None, bool]] = asyncio.Queue(limit)

    async def pump(source: AsyncIterator[T]) -> None:
        try:
            async for item in source:
                await queue.put((item, None, False))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something inside the source was cancelled, not the source: its reader must not wait for ever.
            await queue.put((None, RuntimeError(f"a stream broke off: {error!r}"), True))
        except Exception as error:  # noqa: BLE001 -- handed to the reader, who raises it
            await queue.put((None, error, True))
        else:
            await queue.put((None, None, True))
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    tasks = [asyncio.create_task(pump(source)) for source in sources]
    left = len(tasks)
    try:
        while left:
            item, error, ended = await queue.get()
            if error is not None:
                raise error
            if ended:
                left -= 1
            else:
                yield item  # type: ignore[misc]
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
