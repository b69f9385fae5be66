"""A console and a real agent in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.wire.frames import MAX_REQUESTS, WINDOW
from agent.wire.message import Message
from agent.wire.operation import Nothing, Operation
from agent.wire.operations import OPERATIONS
from fleet.errors import LinkLost, OperationFailed
from fleet.link.bootstrap import Started, start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from transports.base import Endpoint
from transports.local.transport import LocalTransport

FLY = Operation("fly", Nothing, Nothing, upload=type(None), item=type(None))


async def start(python: str) -> Started:
    return await start_agent(LocalTransport(Endpoint("localhost")), pack_agent(), node="gpu1", python=python)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
async def client(cache: Path, agent_python: str) -> AsyncIterator[AgentClient]:
    started = await start(agent_python)
    client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    yield client
    await client.close()


async def test_the_archive_is_sent_once_and_kept_under_its_digest(cache: Path, agent_python: str) -> None:
    first = await start(agent_python)
    second = await start(agent_python)
    assert (first.sent, second.sent) == (True, False)
    assert [path.name for path in (cache / "dtui").iterdir()] == [f"agent-{pack_agent().digest}.pyz"]
    await first.channel.close()
    await second.channel.close()


async def test_a_tampered_archive_is_not_run_but_replaced(cache: Path, agent_python: str) -> None:
    first = await start(agent_python)
    await first.channel.close()
    (kept,) = (cache / "dtui").iterdir()
    kept.write_bytes(kept.read_bytes() + b"print('evil')")
    second = await start(agent_python)
    await second.channel.close()
    assert second.sent
    assert kept.read_bytes() == pack_agent().archive


async def test_packing_is_reproducible() -> None:
    assert pack_agent() == pack_agent()


async def test_hello_tells_who_answers(client: AgentClient, agent_python: str) -> None:
    assert client.hello is not None
    assert client.hello.executable == agent_python
    assert client.hello.pid != os.getpid()


async def test_several_streams_run_at_once_and_keep_their_order(client: AgentClient) -> None:
    async def echo(name: str, pieces: int) -> list[tuple[object, bytes]]:
        async with client.request(OPERATIONS["ping"], {}) as request:

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
    async with client.request(OPERATIONS["ping"], {}) as slow:
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
            assert "time" in await client.call(OPERATIONS["ping"], {})
        assert sent < 4 * WINDOW, "an unread stream must be bounded: one window up, one down, and a bit"
        assert not task.done()
        task.cancel()
    assert "time" in await client.call(OPERATIONS["ping"], {})


async def test_leaving_early_cancels_on_the_node(client: AgentClient) -> None:
    for _ in range(MAX_REQUESTS * 2):  # would be busy if cancelled requests stayed
        async with client.request(OPERATIONS["ping"], {}):
            pass
    while True:
        try:
            await client.call(OPERATIONS["ping"], {})
        except OperationFailed as error:
            assert error.code == "busy"
        else:
            return


async def test_an_unknown_operation_is_an_error_of_that_request_only(client: AgentClient) -> None:
    with pytest.raises(OperationFailed, match="no operation 'fly'") as caught:
        await client.call(FLY, Nothing())
    assert caught.value.node == "gpu1"
    assert "time" in await client.call(OPERATIONS["ping"], {})


async def test_an_error_arrives_with_its_id_and_arguments(client: AgentClient, tmp_path: Path) -> None:
    project = str(tmp_path / "{project} {0}")  # braces are part of the name
    with pytest.raises(OperationFailed) as caught:
        await client.call(OPERATIONS["stop"], {"project": project, "run": "run-1", "grace": 0.0})
    folder = str(Path(project).resolve() / ".dtui" / "runs")
    assert caught.value.code == "no-run"
    what = caught.value.what
    assert isinstance(what, Message)
    assert (what.id, what.args) == ("run.unknown", {"run": "run-1", "folder": folder})
    assert what == f"run run-1 is not known in {folder}"


async def test_the_remedy_of_an_error_is_a_message_too(client: AgentClient) -> None:
    with pytest.raises(OperationFailed) as caught:
        await client.call(OPERATIONS["stop"], {"project": "/", "run": "run-1", "grace": 0.0})
    what, remedy = caught.value.what, caught.value.remedy
    assert isinstance(what, Message)
    assert isinstance(remedy, Message)
    assert (what.id, what.args) == ("path.disk-root", {"path": "/"})
    assert what == "'/' is the root of a disk, not a project's folder"
    assert (remedy.id, remedy.args) == ("project.path.remedy", {})
    assert str(remedy).startswith("set the node's `project` to a folder")


async def test_a_killed_agent_breaks_what_is_under_way(client: AgentClient) -> None:
    async with client.request(OPERATIONS["ping"], {}) as request:
        assert client.hello is not None
        os.kill(client.hello.pid, signal.SIGKILL)
        with pytest.raises(LinkLost, match="the agent ended"):
            async for _ in request:
                pass
    with pytest.raises(LinkLost):
        await client.call(OPERATIONS["ping"], {})
    assert client.lost.is_set()


async def test_noise_from_the_console_ends_the_agent_with_a_reason(cache: Path, agent_python: str) -> None:
    started = await start(agent_python)
    client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    async with client.request(OPERATIONS["ping"], {}) as request:
        await started.channel.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(LinkLost, match="it rejected a frame"):
            async for _ in request:
                pass
    await client.close()
