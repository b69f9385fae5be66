"""The port probe's two ends against raw sockets: strangers that listen, and strangers that connect."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.checks import peer
from agent.checks.peer import Caller, Listener, proof
from agent.wire.operations import MESH
from fleet.link.client import AgentClient
from tests.support.agents import local_agent
from tests.support.waiting import until

KEY = bytes(range(32))
HOST = "127.0.0.1"


@pytest.fixture
async def listener() -> AsyncIterator[tuple[Listener, int]]:
    made = Listener(KEY)
    opened = await made.open(HOST, 0)
    yield made, opened["port"]
    made.close()


async def conversation(port: int, *words: bytes, end: bool = True) -> bytes:
    """Return all that a listener says to a client that sends ``words``."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for word in words:
        writer.write(word)
    if end:
        writer.write_eof()
    said = b""
    try:
        async with asyncio.timeout(120):
            while piece := await reader.read(65536):
                said += piece
    except ConnectionResetError:
        pass
    writer.close()
    return said


class Fake:
    """A listener that is not ours and keeps what it was sent."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.heard = b""
        self._answer = answer

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(16)
        self.heard += first
        writer.write(self._answer(first))
        while piece := await reader.read(65536):
            self.heard += piece
        writer.close()


async def test_both_ends_with_the_key_meet(listener: tuple[Listener, int]) -> None:
    _, port = listener
    found = await Caller(KEY).reach(HOST, {"ephemeral": port})
    assert found["ephemeral"]["outcome"] == "open"
    measured = await Caller(KEY).measure(HOST, port, 1 << 20, 2.0)
    assert measured["error"] is None
    assert measured["bytes"] > 0


async def test_another_key_is_foreign_at_both_ends(listener: tuple[Listener, int]) -> None:
    _, port = listener
    other = bytes(32)
    assert (await Caller(other).reach(HOST, {"p": port}))["p"]["outcome"] == "foreign"
    assert (await Caller(other).measure(HOST, port, 1 << 20, 2.0))["error"] == "foreign"


@pytest.mark.parametrize(
    "answer",
    [
        lambda first: os.urandom(48),
        lambda first: first + first * 2,
        lambda first: first + proof(KEY, b"caller" + b"H", HOST, 1, first + first),
        lambda first: b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(100),
        lambda first: bytes(1 << 20),
    ],
)
async def test_a_listener_that_does_not_know_the_key_hears_a_random_number_only(
    answer: Callable[[bytes], bytes],
) -> None:
    heard = []
    for _ in range(2):
        fake = Fake(answer)
        async with fake as port:
            caller = Caller(KEY)
            assert (await caller.reach(HOST, {"p": port}))["p"]["outcome"] == "foreign"
            assert (await caller.measure(HOST, port, 1 << 20, 2.0))["error"] == "foreign"
        assert KEY not in fake.heard
        assert len(fake.heard) == 32, "two nonces, and nothing after an answer that is no proof"
        heard += [fake.heard[:16], fake.heard[16:]]
    assert len(set(heard)) == 4, "a nonce was used twice"


async def test_an_answer_relayed_from_another_port_is_no_proof(listener: tuple[Listener, int]) -> None:
    _, real = listener

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, real)
        back.write(await reader.readexactly(16))
        writer.write(await there.readexactly(48))
        await reader.read()
        writer.close()
        back.close()

    server = await asyncio.start_server(relay, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await Caller(KEY).reach(HOST, {"p": port}))["p"]["outcome"] == "foreign"


@pytest.mark.parametrize(
    "words",
    [
        [],
        [b"x"],
        [bytes(16)],
        [bytes(16), bytes(33)],
        [bytes(16), bytes(32) + b"M", b"\xff" * 8, bytes(100)],
        [bytes(1 << 20)],
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ],
)
async def test_a_stranger_gets_a_nonce_and_a_proof_at_most(
    listener: tuple[Listener, int], words: list[bytes]
) -> None:
    _, port = listener
    said = await conversation(port, *words)
    assert len(said) in (0, 48)
    assert KEY not in said


async def test_a_recorded_conversation_cannot_be_played_again(listener: tuple[Listener, int]) -> None:
    _, port = listener
    reader, writer = await asyncio.open_connection(HOST, port)
    nonce = bytes(16)
    writer.write(nonce)
    first = await reader.readexactly(48)
    recorded = proof(KEY, b"callerM", HOST, port, nonce + first[:16]) + b"M"
    writer.write(recorded + b"\0\0\xff\xff\0\0\xff\xff" + b".")
    assert await reader.readexactly(1) == b"."
    writer.close()
    assert len(await conversation(port, nonce, recorded, b"\0\0\xff\xff\0\0\xff\xff", b"." * 9)) == 48


async def test_connections_of_one_machine_are_limited_and_others_are_served(
    listener: tuple[Listener, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "_CLIENTS_OF_ONE", 20)
    _, port = listener
    held = [await asyncio.open_connection(HOST, port) for _ in range(20)]
    assert await conversation(port, bytes(16)) == b"", "one more of the same machine"
    source = ("127.0.0.2", 0)
    reader, writer = await asyncio.open_connection(HOST, port, local_addr=source)
    writer.write(bytes(16))
    assert len(await reader.readexactly(48)) == 48
    for _, one in [*held, (reader, writer)]:
        one.close()


async def test_a_stranger_that_says_nothing_is_closed_in_time(
    listener: tuple[Listener, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "_ANSWER_SECONDS", 0.1)
    _, port = listener
    async with asyncio.timeout(120):
        assert await conversation(port, end=False) == b""
        assert len(await conversation(port, bytes(16), end=False)) == 48


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::"])
async def test_no_listener_has_every_address(address: str) -> None:
    listener = Listener(KEY)
    found = await listener.open(address, 0)
    assert found["port"] is None
    assert found["error"] == "all-addresses"


@pytest.mark.parametrize("key", ["", "00", "zz" * 32, "00" * 33, None, 7])
def test_a_key_of_another_length_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match=r"bytes|hexadecimal"):
        peer.key_of(key)


def connects(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


async def probing(tmp_path: Path, then: Callable[[AgentClient, Any, int], Awaitable[None]]) -> int:
    """Have an agent listen as preflight does, do ``then``, and return the port."""
    async with local_agent() as link, link.request(MESH, {"project": str(tmp_path)}) as request:
        items = aiter(request)
        await anext(items)
        await request.send(
            {"do": "listen", "address": HOST, "ports": [0], "seconds": 600.0, "key": KEY.hex()}
        )
        port: int = (await anext(items)).body["listening"]["0"]["port"]
        assert connects(port)
        await then(link, request, port)
    return port


async def leave(link: AgentClient, request: Any, port: int) -> None:
    return


async def kill(link: AgentClient, request: Any, port: int) -> None:
    os.kill(link.hello.pid, signal.SIGKILL)


async def nonsense(link: AgentClient, request: Any, port: int) -> None:
    await request.send({"do": "listen", "address": HOST, "ports": "x", "seconds": "soon", "key": "?"})
    await until(lambda: not connects(port))


async def hold(link: AgentClient, request: Any, port: int) -> None:
    """Leave while strangers are connected."""
    holders.extend(socket.create_connection((HOST, port)) for _ in range(5))


holders: list[socket.socket] = []


@pytest.mark.parametrize("then", [leave, kill, nonsense, hold])
async def test_nothing_listens_after_the_probe_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Any
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        port = await probing(tmp_path, then)
        await until(lambda: not connects(port))
    finally:
        while holders:
            holders.pop().close()


async def test_the_key_is_in_no_argument_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    async def look(link: AgentClient, request: Any, port: int) -> None:
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not any(KEY.hex().encode() in line for line in lines)

    await probing(tmp_path, look)
