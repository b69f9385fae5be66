"""Why an SSH login failed, in words."""

from __future__ import annotations

import socket

import asyncssh

from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    HostKeyChanged,
    Refused,
    TransportError,
    Unreachable,
)

_SETUP = "on the node run worker_setup.ps1, or start its OpenSSH server (sshd)"


def explain(error: BaseException, endpoint: Endpoint, answered: bool, reach: float) -> TransportError:
    """Return the TransportError for what asyncssh or the system raised.

    ``answered`` tells whether a password was tried, ``reach`` is the time limit in seconds.
    """
    where = str(endpoint)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(where, answered)
    if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error):
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
    return _from_system(error, where, reach)


def _denied(where: str, answered: bool) -> AuthenticationFailed:
    if answered:
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
    if isinstance(error, socket.gaierror):
        return Unreachable(
            "the name can't be resolved", where=where, remedy="write the node's address as numbers"
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"no answer within {reach:.0f} s",
            where=where,
            remedy="check that the machine is on, the address is right and its firewall lets SSH in",
        )
    if isinstance(error, ConnectionRefusedError):
        return Refused("the connection was refused: nothing listens on this port", where=where, remedy=_SETUP)
    if isinstance(error, ConnectionResetError):
        return Unreachable("the connection was reset during the login", where=where, remedy=_SETUP)
    return Unreachable(
        f"it can't be reached: {getattr(error, 'strerror', None) or error}",
        where=where,
        remedy="check the address and the network",
    )
