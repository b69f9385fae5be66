"""The listener of one node's WinRM service, which can be stopped and started on its port."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType

from lab.winrm.accounts import Accounts
from lab.winrm.certificate import Certificate
from lab.winrm.fault_injection import FaultInjector
from lab.winrm.handler import Front, Handler
from lab.winrm.quotas import Quotas
from lab.winrm.service import Service
from lab.winrm.spawn import Spawn


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], front: Front, tls: ssl.SSLContext | None, handler: type[Handler]
    ) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(address, type("BoundHandler", (handler,), {"front": front}))

    def server_bind(self) -> None:
        # The base class resolves this machine's name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake is the connection's own thread's; a slow client must not stop the others.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: clients that break off are what the tests are about."""


class WinRMServer:
    """A WinRM service on ``host`` (one 127.0.x.y a node); use it as a context manager.

    ``offers`` are the schemes of WWW-Authenticate; Basic is offered over TLS if ``basic`` is true.
    ``handler`` serves the connections; tests give one that misbehaves.
    """

    def __init__(
        self,
        accounts: Accounts,
        spawn: Spawn,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        quotas: Quotas | None = None,
        offers: tuple[str, ...] = ("Negotiate", "Kerberos"),
        basic: bool = False,
        handler: type[Handler] = Handler,
    ) -> None:
        self.host = host
        self.port = port
        self.certificate = certificate
        self.injector = FaultInjector()
        self.service = Service(spawn, quotas or Quotas())
        self.accounts = accounts
        self._front = Front(self.service, accounts, self.injector, offers, basic)
        self._handler = handler
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients go; valid once started."""
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}/wsman"

    def start(self) -> None:
        """Listen, on the same port as before when started again."""
        tls = None
        if self.certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self.certificate.chain, self.certificate.key)
        self._listener = _Listener((self.host, self.port), self._front, tls, self._handler)
        self.port = int(self._listener.server_address[1])
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def pause(self) -> None:
        """Stop listening and cut all connections; the shells live on, as after a network failure."""
        if self._listener is not None and self._thread is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener.cut_connections()
            self._thread.join()
        self._listener = self._thread = None

    def cut_connections(self) -> None:
        """Cut what is connected now; new connections are welcome."""
        if self._listener is not None:
            self._listener.cut_connections()

    def stop(self) -> None:
        """End the service with its shells. Safe to call twice."""
        self.injector.clear()
        self.service.end_shells()
        self.pause()

    def __enter__(self) -> WinRMServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
