"""Why an SSH login failed, in words."""

from __future__ import annotations

import errno
import re
import socket

import asyncssh

from transports.errors import (
    AuthenticationFailed,
    HostKeyChanged,
    Refused,
    TransportError,
    Unreachable,
    Unresolved,
)
from transports.ssh_client import LoginClient

_SETUP = "on the node run worker_setup.ps1, or start its OpenSSH server (sshd)"


#: Errors of a refused connection: POSIX, Winsock, and Windows' own.
_REFUSED = {errno.ECONNREFUSED, 10061, 1225}


def other_kind_of_host_key(error: BaseException) -> bool:
    """Whether the host no longer has the kind of host key that is recorded."""
    return isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error)


def explain(error: BaseException, client: LoginClient, reach: float) -> TransportError:
    """Return the TransportError for what asyncssh or the system raised, after ``reach`` seconds at most."""
    where = str(client.endpoint)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(where, client)
    if other_kind_of_host_key(error):
        return HostKeyChanged(
            "it no longer has the recorded kind of host key",
            where=where,
            remedy="compare the host's keys at the machine; if it was set up anew, remove its line from "
            "known_hosts and connect again",
        )
    if isinstance(error, asyncssh.DisconnectError) and "uthentication failures" in str(error):
        return AuthenticationFailed(
            "too many keys were offered before the right one",
            where=where,
            remedy="name the right key as the node's `identity`",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return Unreachable(
            f"the jump host can't reach it: {error.reason}",
            where=where,
            remedy="check the address and the ProxyJump of ~/.ssh/config",
        )
    if isinstance(error, asyncssh.Error):
        return Unreachable(
            f"the SSH login broke off: {error.reason or error}",
            where=where,
            remedy="check that an SSH server listens on this port, and read its log",
        )
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        return _key_file(str(error), where)
    if isinstance(error, OSError) and error.filename:
        return _key_file(f"{error.filename}: {error.strerror}", where)
    return _from_system(error, where, reach)


def _key_file(problem: str, where: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"a key of ~/.ssh can't be used: {problem}",
        where=where,
        remedy="correct the IdentityFile in ~/.ssh/config",
    )


def _denied(where: str, client: LoginClient) -> AuthenticationFailed:
    if client.locked_key:
        return AuthenticationFailed(
            client.locked_key,
            where=where,
            remedy="load it into the ssh agent (ssh-add), or run dtui in a terminal and type it",
        )
    if client.answered:
        return AuthenticationFailed(
            "the password was not accepted, nor any key",
            where=where,
            remedy="check the user name and the password; a Windows account without a password can't log in",
        )
    return AuthenticationFailed(
        "none of our keys was accepted",
        where=where,
        remedy="put your public key into the node's authorized_keys (for administrators on Windows: "
        r"%ProgramData%\ssh\administrators_authorized_keys), or run dtui in a terminal to type a password",
    )


def _from_system(error: BaseException, where: str, reach: float) -> TransportError:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return Unresolved(
            "the name can't be resolved", where=where, remedy="write the node's address as numbers"
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"no answer within {reach:.0f} s",
            where=where,
            remedy="check that the machine is on, the address is right and its firewall lets SSH in",
        )
    if _refused(error):
        return Refused("the connection was refused: nothing listens on this port", where=where, remedy=_SETUP)
    if isinstance(error, ConnectionResetError):
        return Unreachable("the connection was reset during the login", where=where, remedy=_SETUP)
    return Unreachable(
        f"it can't be reached: {getattr(error, 'strerror', None) or error}",
        where=where,
        remedy="check the address and the network",
    )


def _refused(error: BaseException) -> bool:
    # A name with several addresses gives one error, with the numbers of all in its text.
    numbers = re.findall(r"\[(?:Errno|WinError) (\d+)\]", str(error))
    return isinstance(error, ConnectionRefusedError) or (bool(numbers) and set(map(int, numbers)) <= _REFUSED)
