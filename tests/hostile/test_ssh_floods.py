"""An SSH server that sends without end: before, during and after the login."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.support.memory import Allocations, PeakMemory
from tests.support.person import Person
from transports.base import STDERR_KEPT, Endpoint
from transports.errors import TransportError
from transports.ssh.stages import LoginLimits
from transports.ssh.transport import SshTransport

HOST = "127.0.12.3"
MEMORY = 20 << 20
REACH = 3.0


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def transport_to(port: int, folder: Path, person: Person, **options: int) -> SshTransport:
    endpoint = Endpoint(HOST, port, "kim")
    return SshTransport(
        endpoint,
        person,
        known_hosts=folder / "known_hosts",
        ssh_folder=folder / ".ssh",
        limits=LoginLimits(REACH, REACH, REACH, REACH, 2 * REACH),
        **options,
    )


RAW = {
    "banner lines": (b"", b"hello\r\n" * 1000),
    "a banner line without end": (b"", b"x" * 10_000),
    "a version without end": (b"SSH-2.0-", b"x" * 10_000),
    "noise after the version": (b"SSH-2.0-x\r\n", b"\xff" * 10_000),
    "a packet of 4 GiB": (b"SSH-2.0-x\r\n\xff\xff\xff\xff", b"x" * 10_000),
    "ignored packets": (b"SSH-2.0-x\r\n", b"\0\0\0\x0c\x05\x02\0\0\0\0" + b"\0" * 6),
}


@pytest.mark.parametrize("flood", RAW)
async def test_before_the_login(tmp_path: Path, flood: str) -> None:
    start, more = RAW[flood]

    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(start)
            while True:
                writer.write(more)
                await writer.drain()
        except OSError:
            writer.close()

    server = await asyncio.start_server(attack, HOST, 0)
    person = Person("secret", trusting=True)
    began = time.monotonic()
    with PeakMemory() as memory, pytest.raises(TransportError) as caught:
        await transport_to(server.sockets[0].getsockname()[1], tmp_path, person).connect()
    server.close()
    assert time.monotonic() - began < 4 * REACH + 60
    assert memory.grown < MEMORY
    assert person.asked == []
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


class _Server(asyncssh.SSHServer):
    """Lets everybody in who knows the password, after a banner of control characters."""

    def __init__(self, banners: int = 0, question: str = "") -> None:
        self._banners = banners
        self._question = question
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None
        for _ in range(self._banners):
            self._connection.send_auth_banner("\x1b]52;c;eA==\x07" + "b" * 20_000)
        return True

    def password_auth_supported(self) -> bool:
        return not self._question

    def validate_password(self, username: str, password: str) -> bool:
        return password == "secret"

    def kbdint_auth_supported(self) -> bool:
        return bool(self._question)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "n" * 1000, "i" * 1000, "", [(self._question, False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return True


@asynccontextmanager
async def serving(
    server: Callable[[], _Server], serve: Callable[[Any], Coroutine[Any, Any, None]], **options: Any
) -> AsyncIterator[int]:
    listener = await asyncssh.create_server(
        server,
        HOST,
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=serve,
        encoding=None,
        **options,
    )
    try:
        yield listener.get_port()
    finally:
        listener.close()


async def flood(request: Any) -> None:
    """Write to both streams as fast as the other side takes it."""
    block = b"x" * 30_000
    try:
        while True:
            request.stdout.write(block)
            request.stderr.write(block)
            await request.stdout.drain()
            await request.stderr.drain()
    except (OSError, asyncssh.Error):
        request.close()


async def test_a_flood_of_output_that_nobody_reads_waits_on_the_node(tmp_path: Path) -> None:
    async with serving(_Server, flood) as port:
        transport = transport_to(port, tmp_path, Person("secret", trusting=True))
        await transport.connect()
        with PeakMemory() as memory:
            channel = await transport.open(["x"])
            assert await channel.read(10)
            for _ in range(200):
                await asyncio.sleep(0)  # both ends run in this loop
            while len(channel.stderr()) < STDERR_KEPT:
                await asyncio.sleep(0.01)
        assert memory.grown < MEMORY, f"{memory.grown >> 20} MiB"
        assert len(channel.stderr()) == STDERR_KEPT
        await channel.close()
        await transport.close()


async def test_banners_are_not_kept(tmp_path: Path) -> None:
    async with serving(lambda: _Server(banners=500), flood) as port:
        transport = transport_to(port, tmp_path, Person("secret", trusting=True))
        with Allocations() as memory:
            await transport.connect()
        # The banners are 10 MB; both ends run in this process.
        assert memory.kept < 2_000_000, f"{memory.kept} bytes"
        await transport.close()


async def test_a_question_of_the_node_is_short_and_printable(tmp_path: Path) -> None:
    person = Person("secret", trusting=True)
    async with serving(lambda: _Server(question="\x1b]0;t\x07 token " + "x" * 9000), flood) as port:
        transport = transport_to(port, tmp_path, person)
        await transport.connect()
        await transport.close()
    (asked,) = person.asked
    assert asked.isprintable()
    assert len(asked) < 120


async def test_compression_is_refused(tmp_path: Path) -> None:
    """Packets of compressed zeros unpack to a thousand times their size."""
    async with serving(_Server, flood, compression_algs=["zlib@openssh.com", "zlib"]) as port:
        with pytest.raises(TransportError, match="compression"):
            await transport_to(port, tmp_path, Person("secret", trusting=True)).connect()
