"""Errors of the operating system, as dtui shows them."""

from __future__ import annotations

import errno
import socket

import pytest

from transports.system_errors import system_error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "no such file or folder"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission denied"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the other side closed the connection"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "the other side closed the connection"),
        (TimeoutError(), "timed out"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name cannot be resolved"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 22)"), "no route to the host"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "the network is unreachable"),
        (OSError(errno.E2BIG, "Argument list too long"), "the command line is too long"),
    ],
)
def test_a_known_error_is_a_message(error: OSError, words: str) -> None:
    shown = system_error(error)
    assert shown == words
    assert shown.id.startswith("system.")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOEXEC, "Exec format error"), "Exec format error"),
        (
            OSError("Multiple exceptions: [Errno 111] a, [Errno 113] b"),
            "Multiple exceptions: [Errno 111] a, [Errno 113] b",
        ),
        (UnicodeError("label too long"), "label too long"),
        (OSError(), "OSError"),
    ],
)
def test_any_other_is_the_systems_own_text(error: Exception, words: str) -> None:
    shown = system_error(error)
    assert (shown, shown.id) == (words, "")
