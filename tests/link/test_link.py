"""A console and a real agent in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.protocol import MAX_REQUESTS, WINDOW
from fleet.errors import LinkLost, OperationFailed
from fleet.link.bootstrap import Started, start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from transports.base import Endpoint
from transports.local import LocalTransport


async def start(cache: Path) -> Started:
    return await start_agent(
        LocalTransport(Endpoint("localhost")), pack_agent(), node="gpu1", python=sys.executable
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
async def client(cache: Path) -> AsyncIterator[AgentClient]:
    started = await start(cache)
    client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    yield client
    await client.close()


async def test_the_archive_is_sent_once_and_kept_under_its_digest(cache: Path) -> None:
    first = await start(cache)
    second = await start(cache)
    assert (first.sent, second.sent) == (True, False)
    assert [path.name for path in (cache / "dtui").iterdir()] == [f"agent-{pack_agent().digest}.pyz"]
    await first.channel.close()
    await second.channel.close()


async def test_a_tampered_archive_is_not_run_but_replaced(cache: Path) -> None:
    first = await start(cache)
    await first.channel.close()
    (kept,) = (cache / "dtui").iterdir()
    kept.write_bytes(kept.read_bytes() + b"print('evil')")
    second = await start(cache)
    await second.channel.close()
    assert second.sent
    assert kept.read_bytes() == pack_agent().archive


async def test_packing_is_reproducible() -> None:
    assert pack_agent() == pack_agent()


async def test_hello_tells_who_answers(client: AgentClient) -> None:
    assert client.hello["executable"] == sys.executable
    assert client.hello["pid"] != os.getpid()


async def test_several_streams_run_at_once_and_keep_their_order(client: AgentClient) -> None:
    async def echo(name: str, pieces: int) -> list[tuple[object, bytes]]:
        async with client.request("ping") as request:

            async def upload() -> None:
                for number in range(pieces):
                    await request.send([name, number], bytes([number % 256]) * 70_000)
                await request.end()

            task = asyncio.create_task(upload())
            seen = [(item.body, item.payload) async for item in request]
            await task
        return seen

    results = await asyncio.gather(*(echo(name, 120) for name in "abc"))  # each twice the window
    for name, seen in zip("abc", results, strict=True):
        assert seen == [([name, n], bytes([n % 256]) * 70_000) for n in range(120)]


async def test_a_slow_reader_stops_its_own_stream_and_no_other(client: AgentClient) -> None:
    async with client.request("ping") as slow:
        sent = 0

        async def upload() -> None:
            nonlocal sent
            for _ in range(400):
                await slow.send(None, b"x" * 100_000)
                sent += 100_000

        task = asyncio.create_task(upload())
        while sent < WINDOW:
            await asyncio.sleep(0)
        for _ in range(5):  # others are served while the slow one is not read
            assert "time" in await client.call("ping")
        assert sent < 4 * WINDOW, "an unread stream must be bounded: one window up, one down, and a bit"
        assert not task.done()
        task.cancel()
    assert "time" in await client.call("ping")


async def test_leaving_early_cancels_on_the_node(client: AgentClient) -> None:
    for _ in range(MAX_REQUESTS * 2):  # would be busy if cancelled requests stayed
        async with client.request("ping"):
            pass
    while True:
        try:
            await client.call("ping")
        except OperationFailed as error:
            assert error.code == "busy"
        else:
            return


async def test_an_unknown_operation_is_an_error_of_that_request_only(client: AgentClient) -> None:
    with pytest.raises(OperationFailed, match="no operation 'fly'") as caught:
        await client.call("fly")
    assert caught.value.node == "gpu1"
    assert "time" in await client.call("ping")


async def test_a_killed_agent_breaks_what_is_under_way(client: AgentClient) -> None:
    async with client.request("ping") as request:
        os.kill(client.hello["pid"], signal.SIGKILL)
        with pytest.raises(LinkLost, match="the agent ended"):
            async for _ in request:
                pass
    with pytest.raises(LinkLost):
        await client.call("ping")
    assert client.lost.is_set()


async def test_noise_from_the_console_ends_the_agent_with_a_reason(cache: Path) -> None:
    started = await start(cache)
    client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    async with client.request("ping") as request:
        await started.channel.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(LinkLost, match="could not read a frame of ours"):
            async for _ in request:
                pass
    await client.close()
