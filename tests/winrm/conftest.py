from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.winrm import Accounts, WinRMServer, posix_shell, self_signed

USER = "tester"
PASSWORD = "Corr3ct-Horse"
#: A node's own address, as in the lab; any of 127.0.0.0/8 does.
HOST = "127.0.11.1"

Serve = Callable[..., WinRMServer]


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
