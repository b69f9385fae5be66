"""Bytes that one end of a connection sends are counted at the other."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from agent.checks.flow import MOST_BYTES, receive_bytes, send_bytes

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connection(serve: Serve) -> AsyncIterator[asyncio.StreamWriter]:
    """A connection to a server on loopback that does ``serve`` and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield writer
        finally:
            writer.close()


@pytest.mark.parametrize("size", [1, 4096, (1 << 18) + 1, 8 << 20])
async def test_what_is_counted_is_the_later_part_of_what_was_poured(size: int) -> None:
    async with connection(lambda reader, writer: send_bytes(reader, writer, size, 30)) as writer:
        counted, seconds = await receive_bytes(writer, 30)
    assert size // 4 <= counted <= size
    assert seconds >= 0


async def test_no_pour_is_larger_than_its_limit() -> None:
    async with connection(lambda reader, writer: send_bytes(reader, writer, 1 << 31, 30)) as writer:
        counted, _ = await receive_bytes(writer, 30)
    assert counted <= MOST_BYTES


async def test_a_pour_without_time_sends_nothing() -> None:
    async with connection(lambda reader, writer: send_bytes(reader, writer, 1 << 20, 0)) as writer:
        assert (await receive_bytes(writer, 30))[0] == 0


async def test_a_connection_that_is_cut_while_it_pours_is_an_error() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(bytes(1000))
        await writer.drain()
        transport = writer.transport
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # a reset instead of an orderly close
        transport.abort()

    async with connection(cut) as writer:
        with pytest.raises(ConnectionResetError):
            await receive_bytes(writer, 30)


async def test_a_sender_that_sends_nothing_is_a_timeout() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connection(wait) as writer:
        with pytest.raises(asyncio.TimeoutError):
            await receive_bytes(writer, 0.01)
