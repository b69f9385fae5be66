"""An SSH server that lets dtui in and then misbehaves: it starts nothing, or ends sessions in odd ways."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_OPEN
from asyncssh.packet import String, UInt32

from fleet.errors import NoAgent
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from tests.hostile.terminal.hostile_text import unsafe_in
from tests.hostile.test_ssh_floods import HOST, transport_to
from tests.support.person import Person
from transports.errors import ChannelLost, TransportError


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


class _Session(asyncssh.SSHServerSession[bytes]):
    def __init__(self, misbehave: Callable[[Any], None]) -> None:
        self._misbehave = misbehave
        self._channel: Any = None

    def connection_made(self, chan: Any) -> None:
        self._channel = chan

    def exec_requested(self, command: str) -> bool:
        return True

    def session_started(self) -> None:
        self._misbehave(self._channel)


class _Server(asyncssh.SSHServer):
    def __init__(self, session: Callable[[], Any]) -> None:
        self._session = session

    def begin_auth(self, username: str) -> bool:
        return False

    def session_requested(self) -> Any:
        return self._session()


async def port_of(session: Callable[[], Any]) -> asyncssh.SSHAcceptor:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return await asyncssh.create_server(
        lambda: _Server(session), HOST, 0, server_host_keys=[key], encoding=None
    )


SESSIONS: dict[str, Callable[[Any], None]] = {
    "closed without a status": lambda channel: channel.close(),
    "an end of file, and nothing more": lambda channel: channel.write_eof(),
    "a status of 32 bits": lambda channel: channel.exit(0xFFFFFFFF),
    "a signal of control sequences": lambda channel: channel.exit_with_signal(
        "\x1b]0;HARM\x07" * 99, False, "\x1b]52;c;eA==\x07" * 999, "\x1b"
    ),
    "text on both streams": lambda channel: (
        channel.write(b"\x1b]0;HARM"), channel.write_stderr(b"\x9b2J\x1bP"), channel.exit(1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("end", SESSIONS)
async def test_a_session_that_ends_in_an_odd_way_is_no_agent(end: str, tmp_path: Path) -> None:
    server = await port_of(lambda: _Session(SESSIONS[end]))
    transport = transport_to(server.get_port(), tmp_path, Person("secret", trusting=True))
    try:
        with pytest.raises(NoAgent) as caught:
            await start_agent(transport, pack_agent(), node="gpu1", python="python3")
    finally:
        await transport.close()
        server.close()
    assert unsafe_in(str(caught.value)) == []
    assert len(str(caught.value)) < 2000
    assert "install Python 3.9" in str(caught.value)


async def test_a_server_that_starts_no_session_is_given_up(tmp_path: Path) -> None:
    silent = asyncio.Event()
    server = await port_of(lambda: silent.wait())
    transport = transport_to(server.get_port(), tmp_path, Person("secret", trusting=True))
    try:
        with pytest.raises(ChannelLost, match="did not start python3 within"):
            await start_agent(transport, pack_agent(), node="gpu1", python=None)
    finally:
        await transport.close()
        server.close()


class _Deaf(_Server):
    """Opens channels without end, and does not read the refusals."""

    def __init__(self) -> None:
        super().__init__(lambda: _Session(self._begin))
        self._tasks: list[asyncio.Task[None]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection: Any = conn

    def _begin(self, channel: Any) -> None:
        self._tasks.append(asyncio.create_task(self._flood()))

    async def _flood(self) -> None:
        wire = self._connection._transport
        wire.pause_reading()
        words = String("forwarded-tcpip"), UInt32(7), UInt32(1 << 20), UInt32(1 << 15)
        addresses = String("a"), UInt32(1), String("b"), UInt32(2)
        while not wire.is_closing():
            for _ in range(100):
                self._connection.send_packet(MSG_CHANNEL_OPEN, *words, *addresses)
            while wire.get_write_buffer_size() > 1 << 20 and not wire.is_closing():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)


async def test_a_server_that_asks_without_end_and_reads_no_answer_is_given_up(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(_Deaf, sock=listening, server_host_keys=[key], encoding=None)
        person = Person("secret", trusting=True)
        transport = transport_to(server.get_port(), tmp_path, person, most_unsent=1 << 14)
        try:
            channel = await transport.open(["x"])
            with pytest.raises(ChannelLost, match=r"connection (broke|was closed)"):
                await channel.read()
        finally:
            await transport.close()
            server.close()


class _Asking(_Server):
    """Asks in ways in which no honest server asks."""

    def __init__(self, questions: list[tuple[str, bool]]) -> None:
        super().__init__(lambda: None)
        self._questions = questions

    def begin_auth(self, username: str) -> bool:
        return True

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "n", "i", "", self._questions

    def validate_kbdint_response(self, username: str, responses: Any) -> Any:
        return "n", "i", "", self._questions  # and again


QUESTIONS: dict[str, list[tuple[str, bool]]] = {
    "none, again and again": [],
    "the password, again and again": [("password", False)],
    "the password many times at once": [("password", False)] * 10_000,
    "15,000 questions": [(f"question {number}", False) for number in range(15_000)],
}


@pytest.mark.parametrize("way", QUESTIONS)
async def test_a_login_with_odd_questions_ends(way: str, tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: _Asking(QUESTIONS[way]), HOST, 0, server_host_keys=[key], encoding=None
    )
    person = Person("secret", trusting=True)
    with pytest.raises(TransportError):
        await transport_to(server.get_port(), tmp_path, person).connect()
    server.close()
    assert len(person.asked) <= 3
    assert person.asked.count("password") <= 1, "a second try could lock the account"
