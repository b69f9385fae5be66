"""Throughput of a connection: one end sends, the other receives and measures the time.

The receiver uses a single buffer instead of a StreamReader, which copies each byte twice: on a fast link the
copies would be measured instead of the link.
"""

from __future__ import annotations

import asyncio
import time
from typing import List, Optional, Tuple

#: Upper limits of one transfer.
MOST_BYTES = 64 << 20
MOST_SECONDS = 5.0
_BLOCK = bytes(1 << 18)
#: Bytes that may wait in the sender's memory.
_WAITING = 1 << 19
_GO = b"g"


async def send_bytes(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int, seconds: float
) -> None:
    """Wait until the other end is ready, then send ``size`` bytes, for ``seconds`` at most."""
    await reader.readexactly(len(_GO))
    writer.transport.set_write_buffer_limits(high=_WAITING)
    left = min(size, MOST_BYTES)
    deadline = time.perf_counter() + min(seconds, MOST_SECONDS)
    while left > 0 and time.perf_counter() < deadline:
        writer.write(_BLOCK[:left])
        left -= len(_BLOCK)
        await writer.drain()


async def receive_bytes(writer: asyncio.StreamWriter, timeout: float) -> Tuple[int, float]:
    """Return bytes and seconds of what the other end sends, without the first part of the transfer.

    The first part is slow start and filled buffers. The connection's reader cannot be used afterwards. Raises
    asyncio.TimeoutError after ``timeout`` seconds, or OSError.
    """
    receiver = _Receiver()
    writer.transport.set_protocol(receiver)
    writer.transport.write(_GO)
    await asyncio.wait_for(receiver.over, timeout)
    return receiver.later_part()


class _Receiver(asyncio.BufferedProtocol):
    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray(1 << 20)
        self._begun = time.perf_counter()
        #: Time, and bytes received until then.
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
