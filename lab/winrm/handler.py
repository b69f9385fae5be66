"""One HTTP connection to the service: login (NTLM is per connection), sealing, injected errors."""

from __future__ import annotations

import base64
import binascii
import socket
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

import spnego

from lab.winrm import faults, sealed, soap
from lab.winrm.accounts import Accounts, LoginRefused
from lab.winrm.fault_injection import FaultInjector, Injection
from lab.winrm.faults import Fault
from lab.winrm.service import Service

#: Seconds that a held request waits at most for the test to release it.
_HOLD_LIMIT = 120.0
_NEGOTIATE = ("negotiate", "ntlm", "kerberos")


@dataclass(frozen=True, slots=True)
class Front:
    """Shared by the connections of one server; ``offers`` are WWW-Authenticate schemes other than Basic."""

    service: Service
    accounts: Accounts
    injector: FaultInjector
    offers: tuple[str, ...] = ("Negotiate",)
    basic: bool = False
    allow_unencrypted: bool = False


class _Dropped(ConnectionError):
    """The connection was cut on order."""


class Handler(BaseHTTPRequestHandler):
    """A connection; the server's class sets ``front``."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 20
    front: Front

    def setup(self) -> None:
        """Forget who was logged in: a login belongs to its connection."""
        super().setup()
        self._context: spnego.ContextProxy | None = None
        self._user = ""
        #: What the request asks for (Create, Receive, ...); login until that is known.
        self._action = "login"
        self._scheme = self.front.offers[0] if self.front.offers else "Negotiate"
        self._tls = isinstance(self.request, ssl.SSLSocket)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep stderr quiet."""

    def do_POST(self) -> None:
        """Answer one request."""
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            self._reply(200, soap.IDENTIFY)
            return
        extra = self._authenticate()
        if extra is None:
            return
        if not raw:
            self._reply(200, headers=extra)
            return
        encrypted = self.headers.get("Content-Type", "").startswith("multipart/")
        if not encrypted and not self._tls and not self.front.allow_unencrypted:
            self._reply(500, headers=extra)
            return
        if encrypted:
            try:
                raw = sealed.unseal(self._logged_in(), raw)
            except sealed.NotSealed:
                # Most often a body that was sealed for the connection before this one.
                self.close_connection = True
                self._reply(400, headers=[("Connection", "close")])
                return
        try:
            self._answer(raw, encrypted, extra)
        except _Dropped:
            self.close_connection = True
            self._cut()

    def _answer(self, raw: bytes, encrypted: bool, extra: list[tuple[str, str]]) -> None:
        message_id, status, injection = "", 200, None
        self._action = "login"
        try:
            if len(raw) > self.front.service.quotas.envelope_bytes:
                raise faults.envelope_too_large()
            request = soap.parse(raw)
            message_id = request.message_id
            if request.identify:
                document = soap.IDENTIFY
            else:
                self._action = request.action.rsplit("/", 1)[-1]
                injection = self.front.injector.next(self._action)
                if injection and injection.kind == "status":
                    self._reply(injection.status, headers=extra)
                    return
                self._before(injection)
                if self.front.accounts.denies(self._user):
                    raise faults.access_denied()
                document = self.front.service.handle(request, self._user)
                self._after(injection)
        except ET.ParseError:
            self._reply(400, headers=extra)
            return
        except Fault as fault:
            status, document = fault.status, soap.envelope(soap.FAULT_ACTION, fault.body(), message_id)
        content_type = soap.CONTENT_TYPE
        document = self._written(document)
        if encrypted:
            document = sealed.seal(self._logged_in(), document)
            content_type = sealed.CONTENT_TYPE
            if injection and injection.kind == "bad-seal":
                document = document[:-60] + bytes(byte ^ 0x5A for byte in document[-60:-28]) + document[-28:]
        if injection and injection.kind == "drop-inside":
            self._reply(status, document, content_type, extra, cut=len(document) // 2)
            raise _Dropped
        self._reply(status, document, content_type, extra)

    def _written(self, document: bytes) -> bytes:
        """Return the XML of an answer to `_action`, before it is sealed; tests replace this."""
        return document

    def _before(self, injection: Injection | None) -> None:
        if injection is None:
            return
        if injection.kind == "drop-before":
            raise _Dropped
        if injection.kind == "hold-before":
            injection.release.wait(_HOLD_LIMIT)
        if injection.kind == "fault" and injection.fault is not None:
            raise injection.fault()

    def _after(self, injection: Injection | None) -> None:
        if injection is None:
            return
        if injection.kind == "drop-after":
            raise _Dropped
        if injection.kind == "hold-after":
            injection.release.wait(_HOLD_LIMIT)

    def _authenticate(self) -> list[tuple[str, str]] | None:
        """Return headers for the answer to a logged-in client; None after a 401 was sent."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() == "basic" and self._basic_allowed:
                user, _, password = base64.b64decode(token).decode().partition(":")
                self._user = self.front.accounts.check(user, password)
                return []
            if scheme.lower() in _NEGOTIATE and token and self.front.offers:
                return self._handshake(scheme, base64.b64decode(token))
        except (LoginRefused, binascii.Error, UnicodeDecodeError):
            self._context, self._user = None, ""
            self._unauthorized()
            return None
        if self._user:
            return []
        self._unauthorized()
        return None

    def _handshake(self, scheme: str, token: bytes) -> list[tuple[str, str]] | None:
        self._scheme = scheme
        if self._context is None or self._context.complete:
            self._context, self._user = self.front.accounts.acceptor(token), ""
        answer = base64.b64encode(self.front.accounts.step(self._context, token)).decode()
        if not self._context.complete:
            self._reply(401, headers=[("WWW-Authenticate", f"{scheme} {answer}")])
            return None
        self._user = self._context.client_principal or ""
        return [("WWW-Authenticate", f"{scheme} {answer}")] if answer else []

    def _unauthorized(self) -> None:
        offers = [("WWW-Authenticate", offer) for offer in self.front.offers]
        if self._basic_allowed:
            offers.append(("WWW-Authenticate", 'Basic realm="WSMAN"'))
        self._reply(401, headers=offers)

    @property
    def _basic_allowed(self) -> bool:
        return self.front.basic and (self._tls or self.front.allow_unencrypted)

    def _logged_in(self) -> spnego.ContextProxy:
        if self._context is None or not self._context.complete:
            raise sealed.NotSealed("this connection has no session key")
        return self._context

    def _reply(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = soap.CONTENT_TYPE,
        headers: Iterable[tuple[str, str]] = (),
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.wfile.flush()

    def _cut(self) -> None:
        # A reset, as a router or a pulled cable gives, not an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
