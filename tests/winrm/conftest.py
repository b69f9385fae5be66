from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from lab.winrm import Accounts, WinRMServer, posix_shell, self_signed
from transports.base import Endpoint, HostKey, NoPrompts
from transports.winrm.connection import Timeouts
from transports.winrm.transport import WinRMTransport

USER = "tester"
PASSWORD = "Corr3ct-Horse"
#: A node's own address, as in the lab; any of 127.0.0.0/8 does.
HOST = "127.0.11.1"

Serve = Callable[..., WinRMServer]
Connect = Callable[..., WinRMTransport]

#: Short enough that a held answer is taken for a broken connection within a test.
QUICK = Timeouts(operation=1, answer=3, outage=10.0, pause=0.02, longest_pause=0.2)


class Password(NoPrompts):
    """Gives the same answer to every question, and keeps what was asked."""

    def __init__(self, answer: str | None, *, trusting: bool = False) -> None:
        self.answer = answer
        self.trusting = trusting
        self.asked = 0
        self.shown: list[HostKey] = []

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        self.asked += 1
        return self.answer

    async def trust_host_key(self, key: HostKey) -> bool:
        self.shown.append(key)
        return self.trusting


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start WinRM services on loopback: ``serve(tls=True, quotas=..., spawn=...)``."""
    started: list[WinRMServer] = []

    def start(*, tls: bool = False, names: tuple[str, ...] = (HOST,), **options: object) -> WinRMServer:
        if tls:
            options.setdefault("certificate", self_signed(tmp_path / f"tls-{len(started)}", names))
        options.setdefault("accounts", Accounts({USER: PASSWORD}))
        options.setdefault("spawn", posix_shell(tmp_path))
        options.setdefault("host", HOST)
        server = WinRMServer(**options)  # type: ignore[arg-type]
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Make transports to a lab service: ``connect(server, password=..., options=...)``."""
    made: list[WinRMTransport] = []

    def make(
        server: WinRMServer,
        *,
        password: str | None = PASSWORD,
        options: tuple[tuple[str, str], ...] = (),
        trusted: bool = True,
        timeouts: Timeouts = QUICK,
    ) -> WinRMTransport:
        if server.certificate and not options:
            options = (("scheme", "https"),)
            if trusted:
                options += (("ca", str(server.certificate.chain)),)
        endpoint = Endpoint(server.host, server.port, USER, options=options)
        transport = WinRMTransport(endpoint, Password(password), timeouts=timeouts)
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()
