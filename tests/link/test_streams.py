"""Many streams as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from fleet.streams import merge


async def numbers(*values: int) -> AsyncGenerator[int, None]:
    for value in values:
        await asyncio.sleep(0)
        yield value


async def breaking(error: BaseException) -> AsyncGenerator[int, None]:
    yield 1
    raise error


async def test_items_of_all_sources_come_and_each_keeps_its_order() -> None:
    seen = [item async for item in merge(numbers(1, 2, 3), numbers(10, 20, 30))]
    assert [item for item in seen if item < 10] == [1, 2, 3]
    assert [item for item in seen if item >= 10] == [10, 20, 30]


@pytest.mark.parametrize(
    ("error", "raised"), [(ValueError("no"), ValueError), (asyncio.CancelledError(), RuntimeError)]
)
async def test_a_source_that_breaks_is_told_and_ends_the_others(
    error: BaseException, raised: type[Exception]
) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield 0
        finally:
            closed.set()

    async with asyncio.timeout(120):
        with pytest.raises(raised):
            async for _ in merge(breaking(error), endless()):
                pass
    assert closed.is_set()
