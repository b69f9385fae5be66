"""A WinRM service that completes TLS and NTLM as an honest one does, and misbehaves at a chosen point.

It records every byte that reaches it above TLS, so that a test can prove what a client did not send.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.winrm import Accounts, Certificate, Spawn, WinRMServer
from lab.winrm.handler import Handler

#: A request without a login, NTLM's first message, its second one, and the actions of the shell protocol.
Stage = Literal["probe", "challenge", "login", "Get", "Create", "Command", "Send", "Receive", "Delete"]


class Wire:
    """The connection to the client: raw bytes in place of an answer."""

    def __init__(self, handler: Handler, stopped: threading.Event) -> None:
        self._handler = handler
        self._stopped = stopped

    def send(self, data: bytes) -> None:
        """Send ``data``; raises OSError when the client has gone."""
        self._handler.connection.sendall(data)

    def forever(self, data: bytes) -> None:
        """Send ``data`` again and again, until the client has gone or the test has ended."""
        while not self._stopped.is_set():
            self.send(data)

    def slowly(self, data: Iterable[int], pause: float) -> None:
        """Send a byte at a time."""
        for byte in data:
            self.send(bytes([byte]))
            if self._stopped.wait(pause):
                return

    def hold(self) -> None:
        """Keep the connection open without a word until the test has ended."""
        self._stopped.wait()


@dataclass(slots=True)
class Attack:
    """What to do at ``stage``; at least one of the three ways to do it is given."""

    stage: Stage
    #: Writes raw bytes instead of the whole answer. The connection ends after it.
    raw: Callable[[Wire], None] | None = None
    #: Replaces the XML of the answer, before it is sealed.
    document: Callable[[bytes], bytes] | None = None
    #: Replaces status, headers and body of the answer, after it was sealed.
    answer: Callable[[int, list[tuple[str, str]], bytes], tuple[int, list[tuple[str, str]], bytes]] | None = (
        None
    )
    #: How often it was carried out.
    hits: int = 0


@dataclass(slots=True)
class Record:
    """What reached the service."""

    #: All bytes above TLS, of all connections.
    received: bytearray = field(default_factory=bytearray)
    requests: int = 0

    @property
    def credentials(self) -> bool:
        """Whether a login was begun, by any scheme."""
        return b"\r\nauthorization:" in self.received.lower()


class HostileServer(WinRMServer):
    """See the module's docstring. Set ``attack`` before the client connects, or between its requests."""

    def __init__(
        self,
        accounts: Accounts,
        spawn: Spawn,
        *,
        host: str,
        port: int = 0,
        certificate: Certificate | None = None,
        attack: Attack | None = None,
    ) -> None:
        self.attack = attack
        self.record = Record()
        self.stopped = threading.Event()
        bound = type("HostileHandler", (_HostileHandler,), {"hostile": self})
        super().__init__(accounts, spawn, host=host, port=port, certificate=certificate, handler=bound)

    def stop(self) -> None:
        """End the service, and every attack that still goes on."""
        self.stopped.set()
        super().stop()


class _Tap:
    """Reads for the handler and keeps what was read."""

    def __init__(self, source: Any, record: Record) -> None:
        self._source = source
        self._record = record

    def read(self, size: int = -1) -> bytes:
        return self._kept(self._source.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._kept(self._source.readline(size))

    def close(self) -> None:
        self._source.close()

    def _kept(self, data: bytes) -> bytes:
        self._record.received += data
        return data


class _HostileHandler(Handler):
    hostile: HostileServer

    def setup(self) -> None:
        super().setup()
        self.rfile = _Tap(self.rfile, self.hostile.record)  # type: ignore[assignment]

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        self.hostile.record.requests += 1
        self._action = "login"
        super().do_POST()

    def _written(self, document: bytes) -> bytes:
        attack = self._attack_at(self._action)
        if attack is None or attack.document is None:
            return document
        attack.hits += 1
        return attack.document(document)

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "",
        headers: Iterable[tuple[str, str]] = (),
        cut: int | None = None,
    ) -> None:
        stage = self._stage(status)
        attack = self._attack_at(stage)
        if attack is not None and attack.raw is not None:
            attack.hits += 1
            self.close_connection = True
            attack.raw(Wire(self, self.hostile.stopped))
            return
        fields = list(headers)
        if body:
            fields.append(("Content-Type", content_type))
        if attack is not None and attack.answer is not None:
            attack.hits += 1
            status, fields, body = attack.answer(status, fields, body)
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _stage(self, status: int) -> str:
        if status != 401:
            return self._action
        return "challenge" if self.headers.get("Authorization") else "probe"

    def _attack_at(self, stage: str) -> Attack | None:
        attack = self.hostile.attack
        return attack if attack is not None and attack.stage == stage else None
