"""A listener that no client has any business with: the target of a redirect, or a proxy."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class Bystander:
    """Accepts connections on a loopback address and records what it receives, without an answer."""

    def __init__(self, host: str) -> None:
        self._listener = socket.create_server((host, 0))
        self.host = host
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.received = bytearray()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}/wsman"

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # shutdown wakes the accept, which close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(5)
                try:
                    while data := connection.recv(1 << 16):
                        self.received += data
                except OSError:
                    pass
