"""How fast bytes come over a connection: one end pours, the other drinks and keeps time.

A fast link must be what is measured, not Python: the drinking end takes the bytes into one buffer of its own,
without a stream that copies each of them twice.
"""

from __future__ import annotations

import asyncio
import time
from typing import List, Optional, Tuple

#: A pour is over after so many bytes or seconds, whatever was asked for.
MOST_BYTES = 64 << 20
MOST_SECONDS = 5.0
_BLOCK = bytes(1 << 18)
#: How much may wait in the pouring end's memory.
_WAITING = 1 << 19
_GO = b"g"


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int, seconds: float) -> None:
    """Wait until the other end drinks, then send ``size`` bytes, for ``seconds`` at most."""
    await reader.readexactly(len(_GO))
    writer.transport.set_write_buffer_limits(high=_WAITING)
    left = min(size, MOST_BYTES)
    deadline = time.perf_counter() + min(seconds, MOST_SECONDS)
    while left > 0 and time.perf_counter() < deadline:
        writer.write(_BLOCK[:left])
        left -= len(_BLOCK)
        await writer.drain()


async def drink(writer: asyncio.StreamWriter, patience: float) -> Tuple[int, float]:
    """Return bytes and seconds of what the other end pours, without its begin.

    The begin is slow start and filled buffers. The connection's reader is of no use afterwards. Raises
    asyncio.TimeoutError after ``patience`` seconds, or OSError.
    """
    drinker = _Drinker()
    writer.transport.set_protocol(drinker)
    writer.transport.write(_GO)
    await asyncio.wait_for(drinker.over, patience)
    return drinker.later_part()


class _Drinker(asyncio.BufferedProtocol):
    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray(1 << 20)
        self._begun = time.perf_counter()
        #: When so many bytes had come.
        self._marks: List[Tuple[float, int]] = [(self._begun, 0)]

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._marks.append((time.perf_counter(), self._marks[-1][1] + nbytes))

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if self.over.done():
            return
        if exc is None:
            self.over.set_result(None)
        else:
            self.over.set_exception(exc)

    def later_part(self) -> Tuple[int, float]:
        ended, total = self._marks[-1]
        first = next(mark for mark in self._marks if mark[0] - self._begun >= (ended - self._begun) * 0.3)
        if total - first[1] < total // 4:
            first = self._marks[0]
        return total - first[1], round(ended - first[0], 6)
