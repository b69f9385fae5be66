"""The local pipe on Windows: a named pipe that only its user can open, and no other machine."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import suppress
from typing import Any, Optional

assert sys.platform == "win32"

import _winapi  # noqa: E402
from ctypes import wintypes  # noqa: E402

from agent.secrets.exchange import CLOSED, TOO_LATE  # noqa: E402
from agent.windows_security import free, security_descriptor, user_sid  # noqa: E402

_DUPLEX = 0x00000003
_FIRST_INSTANCE = 0x00080000
_OVERLAPPED = 0x40000000
_REJECT_REMOTE_CLIENTS = 0x00000008
#: The listener learns who its peer is, and cannot act as that user.
_IDENTIFICATION_ONLY = 0x00100000 | 0x00010000
_BUFFER = 64 * 1024
_ERROR_PIPE_CONNECTED = 535
_WAIT_TIMEOUT = 258


class _SecurityAttributes(ctypes.Structure):
    _fields_ = [
        ("length", wintypes.DWORD),
        ("descriptor", ctypes.c_void_p),
        ("inherit", wintypes.BOOL),
    ]


class PipeStream:
    """A connected pipe."""

    def __init__(self, handle: int, *, server: bool = False) -> None:
        self._handle = handle
        self._server = server

    def read(self, size: int, deadline: float) -> bytes:
        """Return exactly ``size`` bytes; raises OSError."""
        data = bytearray()
        while len(data) < size:
            overlapped, _ = _winapi.ReadFile(self._handle, min(size - len(data), _BUFFER), overlapped=True)
            if _finish(overlapped, deadline) == 0:
                raise ConnectionError(CLOSED)
            data += overlapped.getbuffer()
        return bytes(data)

    def write(self, data: bytes, deadline: float) -> None:
        """Write all of ``data``; raises OSError."""
        at = 0
        while at < len(data):
            overlapped, _ = _winapi.WriteFile(self._handle, data[at : at + _BUFFER], overlapped=True)
            at += _finish(overlapped, deadline)

    def close(self) -> None:
        """Close this end; the listener's is made ready for the next peer."""
        if self._server:
            # What was written must be read before the pipe forgets it; the peer closes its end after that.
            with suppress(OSError):
                self.read(1, time.monotonic() + 2.0)
            kernel = ctypes.WinDLL("kernel32")
            kernel.DisconnectNamedPipe(wintypes.HANDLE(self._handle))
        else:
            _winapi.CloseHandle(self._handle)


class PipeListener:
    """Owns the only instance of a pipe with a random name."""

    def __init__(self) -> None:
        self.address = "\\\\.\\pipe\\dtui-" + os.urandom(16).hex()
        descriptor = security_descriptor("D:P(A;;GA;;;%s)" % user_sid())
        attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, False)
        try:
            self._handle = _winapi.CreateNamedPipe(
                self.address,
                _DUPLEX | _FIRST_INSTANCE | _OVERLAPPED,
                _REJECT_REMOTE_CLIENTS,
                1,
                _BUFFER,
                _BUFFER,
                0,
                ctypes.addressof(attributes),
            )
        finally:
            free(descriptor)

    def accept(self, timeout: float) -> Optional[PipeStream]:
        """Return the next peer, None after ``timeout`` seconds; raises OSError."""
        try:
            overlapped = _winapi.ConnectNamedPipe(self._handle, overlapped=True)
        except OSError as error:
            if error.winerror != _ERROR_PIPE_CONNECTED:
                raise
        else:
            try:
                _finish(overlapped, time.monotonic() + timeout)
            except TimeoutError:
                return None
        return PipeStream(self._handle, server=True)

    def close(self) -> None:
        """Remove the pipe."""
        _winapi.CloseHandle(self._handle)


def connect(address: str, timeout: float) -> PipeStream:
    """Return a connection to the listener at ``address``; raises OSError."""
    _winapi.WaitNamedPipe(address, int(timeout * 1000))
    handle = _winapi.CreateFile(
        address,
        _winapi.GENERIC_READ | _winapi.GENERIC_WRITE,
        0,
        0,
        _winapi.OPEN_EXISTING,
        _OVERLAPPED | _IDENTIFICATION_ONLY,
        0,
    )
    return PipeStream(handle)


def _finish(overlapped: Any, deadline: float) -> int:
    """Wait for an operation and return its bytes; raises OSError, and TimeoutError at the deadline."""
    milliseconds = max(0, int((deadline - time.monotonic()) * 1000))
    if _winapi.WaitForMultipleObjects([overlapped.event], False, milliseconds) == _WAIT_TIMEOUT:
        overlapped.cancel()
        with suppress(OSError):
            overlapped.GetOverlappedResult(True)
        raise TimeoutError(TOO_LATE)
    size, _ = overlapped.GetOverlappedResult(True)
    return int(size)
