from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lab.winrm import Accounts, posix_shell, self_signed
from tests.hostile.winrm.server import Attack, HostileServer
from tests.winrm.conftest import PASSWORD, USER, Password
from transports.base import Endpoint
from transports.winrm.connection import Timeouts
from transports.winrm.transport import WinRMTransport

HOST = "127.0.12.1"
#: Short, so that a test of a time limit is short; the limits themselves are the same code.
QUICK = Timeouts(operation=1, answer=2, outage=3.0, opening=6.0, pause=0.02, longest_pause=0.2)
REACH = 2.0

Serve = Callable[..., HostileServer]
Connect = Callable[..., WinRMTransport]


async def use(transport: WinRMTransport, argv: Sequence[str]) -> None:
    """Log in, start a program and read what it says first."""
    channel = await transport.open(argv)
    await channel.read()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start hostile services: ``serve(attack, tls=True)``."""
    started: list[HostileServer] = []

    def start(attack: Attack | None = None, *, tls: bool = False, **options: object) -> HostileServer:
        if tls:
            options.setdefault("certificate", self_signed(tmp_path / f"tls-{len(started)}", (HOST,)))
        server = HostileServer(
            Accounts({USER: PASSWORD}),
            posix_shell(tmp_path),
            host=HOST,
            attack=attack,
            **options,  # type: ignore[arg-type]
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Make transports: ``connect(server)`` trusts the server's certificate, if it has one."""
    made: list[WinRMTransport] = []

    def make(
        server: HostileServer,
        *,
        options: tuple[tuple[str, str], ...] | None = None,
        prompts: Password | None = None,
        known_hosts: Path | None = None,
    ) -> WinRMTransport:
        if options is None:
            certificate = server.certificate
            options = (("scheme", "https"), ("ca", str(certificate.chain))) if certificate else ()
        transport = WinRMTransport(
            Endpoint(server.host, server.port, USER, options=options),
            prompts or Password(PASSWORD),
            known_hosts,
            timeouts=QUICK,
            reach=REACH,
        )
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()
