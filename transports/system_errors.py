"""Errors of the operating system as messages."""

from __future__ import annotations

import errno
import socket

from agent.wire.message import Message, message

_NOT_FOUND = message("system.not-found", "no such file or folder")
_DENIED = message("system.permission-denied", "permission denied")
_REFUSED = message("system.connection-refused", "connection refused")
_CLOSED = message("system.connection-closed", "the other side closed the connection")
TIMED_OUT = message("system.timed-out", "timed out")
NAME_NOT_RESOLVED = message("system.name-not-resolved", "the name cannot be resolved")

#: Errors that :mod:`errno` does not distinguish on every system.
_BY_CLASS: tuple[tuple[type[BaseException], Message], ...] = (
    (socket.gaierror, NAME_NOT_RESOLVED),
    (FileNotFoundError, _NOT_FOUND),
    (PermissionError, _DENIED),
    (ConnectionRefusedError, _REFUSED),
    (ConnectionError, _CLOSED),  # reset, aborted, broken pipe
    (TimeoutError, TIMED_OUT),
)
_BY_NUMBER = {
    errno.EHOSTUNREACH: message("system.no-route", "no route to the host"),
    errno.ENETUNREACH: message("system.network-unreachable", "the network is unreachable"),
    errno.E2BIG: message("system.arguments-too-long", "the command line is too long"),
}


def system_error(error: BaseException) -> Message:
    """Return why a system call failed; the system's own text for an error that is not listed here."""
    for kind, known in _BY_CLASS:
        if isinstance(error, kind):
            return known
    number = error.errno if isinstance(error, OSError) else None
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    text = error.strerror if isinstance(error, OSError) else None
    return text if isinstance(text, Message) else Message(text or str(error) or type(error).__name__)
