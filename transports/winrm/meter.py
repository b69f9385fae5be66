"""Limits on what one HTTP exchange with a node may receive, in bytes and in seconds."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from agent.wire.message import EMPTY, Message, message
from transports.errors import Unreachable, no_answer
from transports.winrm import limits
from transports.winrm.violation import protocol_violation

#: A slice of a request that is sent under one timeout.
_SLICE = 1 << 14
#: `io.BufferedReader` may read this far past the headers.
_READ_AHEAD = io.DEFAULT_BUFFER_SIZE


class Meter:
    """The allowance of one exchange at a time. Not thread-safe: a session belongs to one thread."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._deadline = 0.0
        self._seconds = 0.0
        self._left = 0
        self._exceeded = EMPTY
        self._received = False

    def start(self, seconds: float, limit: float) -> None:
        """Begin an exchange that must end within ``seconds``, the rest of ``limit``."""
        self._seconds = limit
        self._deadline = time.monotonic() + seconds
        self._received = False
        exceeded = message(
            "winrm.headers-too-long",
            "the node sent headers of more than {size:bytes}",
            size=limits.HEADERS,
        )
        self._allow(limits.HEADERS + _READ_AHEAD, exceeded)

    def expect_body(self, most: int) -> None:
        """Allow a body of ``most`` bytes, and its chunk sizes, after the headers."""
        exceeded = message("winrm.body-too-long", "the node sent a body of more than {size:bytes}", size=most)
        self._allow(most + limits.HEADERS, exceeded)

    def remaining(self) -> float:
        """Return the seconds that are left; raises Unreachable if the time is over."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.timed_out()
        return left

    def count(self, size: int) -> None:
        """Count ``size`` received bytes; raises ProtocolViolation above the limit."""
        self._received = self._received or size > 0
        self._left -= size
        if self._left < 0:
            raise protocol_violation(self._exceeded, self._where)

    def timed_out(self) -> Unreachable:
        """Return the error of an exchange that took too long."""
        if self._received:
            what = message(
                "winrm.answer-late", "the answer did not end within {seconds:.0f} s", seconds=self._seconds
            )
        else:
            what = no_answer(self._seconds)
        remedy = message(
            "winrm.answer-late.remedy",
            "check that the node is on and its WinRM service runs (Get-Service WinRM)",
        )
        return Unreachable(what, where=self._where, remedy=remedy)

    def _allow(self, size: int, exceeded: Message) -> None:
        self._left, self._exceeded = size, exceeded


class _MeteredReader(io.RawIOBase):
    """Reads a socket, counting the bytes, within the deadline of the exchange."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, meter: Meter) -> None:
        self._raw = raw
        #: requests_ntlm takes the certificate for channel bindings from this attribute.
        self._sock = sock
        self._meter = meter

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into ``buffer``; raises ProtocolViolation, Unreachable and what the socket raises."""
        self._sock.settimeout(self._meter.remaining())
        try:
            size = self._raw.readinto(buffer) or 0
        except TimeoutError:
            raise self._meter.timed_out() from None
        self._meter.count(size)
        return size

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()


class _MeteredResponse(http.client.HTTPResponse):
    """Reads the answer, from its first byte on, through a `_MeteredReader`."""

    def __init__(self, sock: socket.socket, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # makefile's own reader is detached, so that the count of users of the socket stays right.
        reader: Any = self.fp
        self.fp = io.BufferedReader(_MeteredReader(reader.detach(), sock, meter))
        self._meter = meter

    def begin(self) -> None:
        """Read the headers, and allow the body that may follow them."""
        super().begin()
        self._meter.expect_body(limits.LOGIN_BODY if self.status == 401 else limits.BODY)


class MeteredConnection(HTTPConnection):
    """An HTTP connection whose exchanges are bounded by a `Meter`."""

    def __init__(self, *args: Any, meter: Meter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._meter = meter
        # http.client only calls it.
        self.response_class = functools.partial(_MeteredResponse, meter=meter)  # type: ignore[assignment]

    def send(self, data: Any) -> None:
        """Send bytes in slices, so that a node that does not read cannot extend the deadline."""
        if not isinstance(data, bytes):
            super().send(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            if self.sock is not None:
                self.sock.settimeout(self._meter.remaining())
            try:
                super().send(view[start : start + _SLICE])
            except TimeoutError:
                raise self._meter.timed_out() from None


class MeteredTlsConnection(MeteredConnection, HTTPSConnection):
    """The same over TLS."""
