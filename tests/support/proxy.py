"""A TCP proxy between console and node that breaks as networks do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

_CHUNK = 1 << 16


class Link:
    """Carries connections to ``host:port``; use as ``async with``, connect to its own ``host`` and ``port``.

    ``carried`` counts the bytes of both directions.
    """

    def __init__(self, target_host: str, target_port: int, *, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.carried = 0
        self._target = (target_host, target_port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._cut_at: int | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break all connections at once; new ones are carried."""
        self._cut_at = None
        for writer in self._writers:
            writer.transport.abort()

    def cut_after(self, count: int) -> None:
        """Break all connections as soon as ``count`` more bytes have passed."""
        self._cut_at = self.carried + count

    def hold(self) -> None:
        """Carry nothing more, without a word, until ``release``."""
        self._open.clear()

    def release(self) -> None:
        """Carry again."""
        self._open.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError):
                there_reader, there = await asyncio.open_connection(*self._target)
                self._writers.add(there)
                await asyncio.gather(self._carry(reader, there), self._carry(there_reader, writer))
                self._writers.discard(there)
                there.close()
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
                self.carried += len(data)
                if self._cut_at is not None and self.carried >= self._cut_at:
                    self.cut()
            sink.write_eof()
