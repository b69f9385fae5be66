"""The local pipe on POSIX: a Unix socket that only its owner can open, in a folder of its owner."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import sys
import tempfile
import time
from contextlib import suppress
from typing import Optional, Tuple

assert sys.platform != "win32"

from agent.secrets.exchange import CLOSED, TOO_LATE  # noqa: E402
from agent.wire.message import message  # noqa: E402

#: The longest path of a socket in bytes that every system accepts; the kernels accept 108 and 104.
_MAX_PATH = 100
#: Folders with short paths. What is made in them is private: mkdtemp's name is random, its rights are 700.
_SHORT = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
_CREDENTIALS = struct.Struct("3i")


class SocketStream:
    """A connected Unix socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def read(self, size: int, deadline: float) -> bytes:
        """Return exactly ``size`` bytes; raises OSError."""
        data = bytearray()
        while len(data) < size:
            self._socket.settimeout(_left(deadline))
            piece = self._socket.recv(min(size - len(data), 1 << 16))
            if not piece:
                raise ConnectionError(CLOSED)
            data += piece
        return bytes(data)

    def write(self, data: bytes, deadline: float) -> None:
        """Write all of ``data``; raises OSError."""
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(data)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class SocketListener:
    """Listens in the run's folder, or in a private temporary one where that path is unsuitable."""

    def __init__(self, folder: str) -> None:
        self._made: Optional[str] = None
        try:
            self._socket, self.address = _bound(folder)
        except OSError as error:
            # The path is too long, or the file system has no sockets.
            self._bind_elsewhere(error)

    def accept(self, timeout: float) -> Optional[SocketStream]:
        """Return the next peer, None after ``timeout`` seconds; raises PermissionError for another user's."""
        self._socket.settimeout(timeout)
        try:
            connection, _ = self._socket.accept()
        except socket.timeout:  # noqa: UP041 -- another class before Python 3.10
            return None
        return _of_this_user(connection)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._socket.close()
        with suppress(OSError):
            os.unlink(self.address)
        self._remove()

    def _bind_elsewhere(self, reason: OSError) -> None:
        """Bind in a private folder where one can be made; raises the ``reason`` when that is nowhere."""
        for place in (tempfile.gettempdir(), *_SHORT):
            try:
                self._made = tempfile.mkdtemp(prefix="dtui-", dir=place)
                self._socket, self.address = _bound(self._made)
                return
            except OSError:
                self._remove()
        raise reason

    def _remove(self) -> None:
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)
            self._made = None


def connect(address: str, timeout: float) -> SocketStream:
    """Return a connection to the listener at ``address``; raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return _of_this_user(connection)


def _bound(folder: str) -> Tuple[socket.socket, str]:
    address = os.path.join(folder, "secrets.sock")
    if len(os.fsencode(address)) > _MAX_PATH:
        raise OSError(message("secrets.long-path", "the path of the socket is too long"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
        # No process can connect before `listen`, so there is no time in which others could.
        os.chmod(address, 0o600)
        listener.listen(4)
    except OSError:
        listener.close()
        raise
    return listener, address


def _of_this_user(connection: socket.socket) -> SocketStream:
    """Return a stream over the connection if this user holds its other end; raises PermissionError."""
    option = getattr(
        socket, "SO_PEERCRED", None
    )  # Linux; on other systems the socket's permissions protect it
    if option is not None:
        _, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
        if user != os.geteuid():
            connection.close()
            raise PermissionError(
                message("secrets.other-user", "the other end belongs to a process of another user")
            )
    return SocketStream(connection)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(TOO_LATE)
    return left
