"""Each stage of a login has its own limit and message, and a slow logon is waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from agent.wire.message import Message
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.transports.conftest import Connect
from transports.auto.transport import AutoTransport
from transports.base import Endpoint, Transport
from transports.errors import SlowLogin, TransportError, Unreachable
from transports.registry import KINDS
from transports.ssh.stages import LoginLimits
from transports.ssh.transport import SshTransport

HOST = "127.0.0.1"
#: Far more than a loaded machine needs, for the stages before the one that hangs.
ENOUGH = LoginLimits(60, 60, 60, 60, 60)


@pytest.fixture(autouse=True)
def _reports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("transports.ssh.stages", "transports.waiting"):
        monkeypatch.setattr(f"{module}.REPORT_EVERY", 0.05)


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port that does not answer to a connection."""
    with socket.create_server((HOST, 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        waiting = []
        with suppress(TimeoutError):
            while True:
                waiting.append(socket.create_connection((HOST, port), timeout=0.2))
        yield port
        for one in waiting:
            one.close()


@asynccontextmanager
async def greeting(text: bytes) -> AsyncIterator[int]:
    """A port that accepts a connection, sends ``text`` and nothing more."""
    connections = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.write(text)

    server = await asyncio.start_server(accept, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in connections:
        writer.close()


class SlowLogon(asyncssh.SSHServer):
    """Lets everybody in, after ``ready``."""

    def __init__(self, ready: asyncio.Event) -> None:
        self._ready = ready

    async def begin_auth(self, username: str) -> bool:
        await self._ready.wait()
        return False


@asynccontextmanager
async def slow_logon(ready: asyncio.Event, *, start: asyncio.Event | None = None) -> AsyncIterator[int]:
    """A Windows server whose logon takes until ``ready``, and whose sessions wait for ``start``."""

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(0)

    class Server(SlowLogon):
        async def session_requested(self) -> bool | asyncssh.SSHServerSession[bytes]:
            if start is not None:
                await start.wait()
            return asyncssh.process.SSHServerProcess(serve, None, 3, False)

    server = await asyncssh.create_server(
        lambda: Server(ready),
        HOST,
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        server_version="OpenSSH_for_Windows_9.5",
        encoding=None,
    )
    yield server.get_port()
    ready.set()
    server.close()


@pytest.fixture
def to(known_hosts: Path, ssh_folder: Path) -> Connect:
    def make(port: int, limits: LoginLimits) -> SshTransport:
        return SshTransport(
            Endpoint(HOST, port, "kim"),
            Person(trusting=True),
            known_hosts=known_hosts,
            ssh_folder=ssh_folder,
            limits=limits,
        )

    return make


async def failure_of(transport: Transport) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.connect()
    await transport.close()
    return caught.value


def reports_of(transport: Transport) -> list[Message]:
    reports: list[Message] = []
    transport.waiting = reports.append
    return reports


async def test_a_machine_that_does_not_answer(to: Connect, full_backlog: int) -> None:
    error = await failure_of(to(full_backlog, LoginLimits(0.3, 60, 60, 60, 60)))
    assert isinstance(error, Unreachable)
    assert "no answer within" in error.what
    assert "the machine is on" in error.remedy


async def test_a_port_without_a_banner(to: Connect) -> None:
    async with greeting(b"") as port:
        error = await failure_of(to(port, LoginLimits(60, 0.3, 60, 60, 60)))
    assert isinstance(error, Unreachable)
    assert "the port is open, and no SSH server has answered" in error.what


async def test_a_server_that_exchanges_no_keys(to: Connect) -> None:
    async with greeting(b"SSH-2.0-OpenSSH_for_Windows_9.5\r\n") as port:
        error = await failure_of(to(port, LoginLimits(60, 60, 0.3, 60, 60)))
    assert isinstance(error, SlowLogin)
    assert "OpenSSH_for_Windows_9.5 has answered, and the key exchange did not end" in error.what


async def test_a_logon_that_does_not_end(to: Connect) -> None:
    async with slow_logon(asyncio.Event()) as port:
        error = await failure_of(to(port, LoginLimits(60, 60, 60, 0.3, 60)))
    assert isinstance(error, SlowLogin)
    assert error.transient
    assert "OpenSSH_for_Windows_9.5 has answered, and the logon did not end" in error.what
    assert "domain controller" in error.remedy


async def test_a_slow_logon_is_waited_for_and_reported(to: Connect) -> None:
    ready = asyncio.Event()
    async with slow_logon(ready) as port:
        transport = to(port, ENOUGH)
        reports: list[Message] = []

        def waiting(what: Message) -> None:
            reports.append(what)
            ready.set()

        transport.waiting = waiting
        await transport.connect()
        await transport.close()
    assert "the node has answered, and its logon has taken" in reports[0]


async def test_a_slow_start_of_a_session_is_reported(to: Connect) -> None:
    ready, start = asyncio.Event(), asyncio.Event()
    ready.set()
    async with slow_logon(ready, start=start) as port:
        transport = to(port, ENOUGH)
        reports: list[Message] = []

        def waiting(what: Message) -> None:
            reports.append(what)
            start.set()

        transport.waiting = waiting
        channel = await transport.open(["python3"])
        assert await channel.wait() == 0
        await transport.close()
    assert "the login succeeded, and the node has taken" in reports[0]
    assert "python3" in reports[0]


async def test_auto_bounds_the_first_contact_and_not_the_logon(tmp_path: Path, ssh_folder: Path) -> None:
    ready, reach = asyncio.Event(), 1.0
    async with slow_logon(ready) as port:
        transport = AutoTransport(
            Endpoint(HOST, port, "kim"),
            Person(trusting=True),
            kinds=KINDS["auto"].tries,
            known_hosts=tmp_path / "known_hosts",
            reach=reach,
        )

        def waiting(what: Message) -> None:
            waited = what.args["waited"]
            assert isinstance(waited, float)
            if waited > reach:
                ready.set()

        transport.waiting = waiting
        async with asyncio.timeout(60):
            await transport.connect()
        assert transport.chosen == "ssh"
        await transport.close()


async def test_auto_names_the_slow_logon_rather_than_winrm(
    tmp_path: Path, ssh_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoginLimits, "of", lambda self, stage: 0.3 if stage == "authentication" else 60.0)
    async with slow_logon(asyncio.Event()) as port:
        transport = AutoTransport(
            Endpoint(HOST, port, "kim"),
            Person(trusting=True),
            kinds=KINDS["auto"].tries[:1],
            known_hosts=tmp_path / "known_hosts",
        )
        error = await failure_of(transport)
    assert "the logon did not end" in error.what
    assert "domain controller" in error.remedy


async def test_the_wait_for_an_interpreter_is_reported(
    node: SshNode, connect: Connect, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.05; done\nexec python3 "$@"\n')
    python.chmod(0o755)
    transport = connect(node)
    reports: list[Message] = []

    def waiting(what: Message) -> None:
        reports.append(what)
        go.touch()

    transport.waiting = waiting
    started = await start_agent(transport, pack_agent(), node="gpu1", python=str(python))
    await started.channel.close()
    assert "was started through the login shell, and has not answered for" in reports[0]
