"""Many event streams as one, and streams whose faults stay their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from agent.wire.message import Message
from fleet.internal_errors import internal_error

T = TypeVar("T")


async def merge(*sources: AsyncIterator[T], limit: int = 1024) -> AsyncGenerator[T, None]:
    """Yield the items of all sources as they arrive.

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
        except Exception as error:  # noqa: BLE001 -- passed to the reader, which raises it
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


async def contained(
    source: AsyncIterator[T], name: str, failed: Callable[[Message], Iterable[T]]
) -> AsyncGenerator[T, None]:
    """Yield the items of ``source``; if it raises, record the traceback and yield what ``failed`` returns.

    For the source of one node among others: its fault must not end theirs. ``name`` is for the log.
    """
    try:
        async for item in source:
            yield item
    except Exception as error:  # noqa: BLE001 -- any internal error
        for item in failed(internal_error(error, name)):
            yield item
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
