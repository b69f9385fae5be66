"""Errors of an SSH login or connection as messages."""

from __future__ import annotations

import errno
import re
import socket

import asyncssh

from agent.wire.message import Message, message
from transports.errors import (
    AuthenticationFailed,
    ChannelLost,
    HostKeyChanged,
    Refused,
    SlowLogin,
    TransportError,
    Unreachable,
    Unresolved,
    no_answer,
)
from transports.quoting import quoted
from transports.ssh.client import LoginClient
from transports.ssh.keys import KEY_LOCKED_REMEDY, key_unusable
from transports.ssh.stages import LoginStages
from transports.system_errors import NAME_NOT_RESOLVED, system_error

_SETUP = message(
    "ssh.server.remedy",
    "start the node's SSH server (sshd; on Windows, worker_setup.ps1 installs and starts it)",
)
#: Errors of a refused connection: POSIX, Winsock, and Windows' own.
_REFUSED = {errno.ECONNREFUSED, 10061, 1225}


def connection_broke(error: Exception | None, where: str) -> ChannelLost:
    """Return the error for a connection that ended while in use; ``error`` is None without a reason."""
    if error is None:
        return ChannelLost(message("ssh.closed", "the SSH connection was closed"), where=where)
    why = system_error(error) if isinstance(error, OSError) else Message(quoted(str(error)))
    return ChannelLost(message("ssh.broke", "the SSH connection broke: {error}", error=why), where=where)


def other_kind_of_host_key(error: BaseException) -> bool:
    """Whether the host no longer has the kind of host key that is recorded."""
    return isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error)


def explain(error: BaseException, client: LoginClient) -> TransportError:
    """Return the TransportError for what asyncssh or the system raised during a login."""
    where = str(client.endpoint)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(where, client)
    if other_kind_of_host_key(error):
        return HostKeyChanged(
            message("ssh.host-key-kind", "the host no longer has a host key of the recorded kind"),
            where=where,
            remedy=message(
                "ssh.host-key-kind.remedy",
                "compare the host keys on the machine; if it was reinstalled, remove its line from "
                "known_hosts and connect again",
            ),
        )
    if isinstance(error, asyncssh.DisconnectError) and "uthentication failures" in str(error):
        return AuthenticationFailed(
            message("ssh.too-many-keys", "the node rejected too many keys before the right one"),
            where=where,
            remedy=message("ssh.too-many-keys.remedy", "set the node's `identity` to the right key"),
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return Unreachable(
            message("ssh.jump", "the jump host cannot reach the node: {error}", error=quoted(error.reason)),
            where=where,
            remedy=message("ssh.jump.remedy", "check the node's address and the ProxyJump in ~/.ssh/config"),
        )
    if isinstance(error, asyncssh.Error):
        why = quoted(error.reason or str(error))
        return Unreachable(
            message("ssh.login-broke", "the SSH login failed: {error}", error=why),
            where=where,
            remedy=message(
                "ssh.login-broke.remedy", "check that an SSH server listens on this port, and read its log"
            ),
        )
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        problem = message(
            "ssh.configured-key", "a key of ~/.ssh cannot be used: {error}", error=quoted(str(error))
        )
        return _key_file(problem, where)
    if isinstance(error, OSError) and error.filename:
        return _key_file(key_unusable(str(error.filename), system_error(error)), where)
    return _from_system(error, client)


def _key_file(problem: Message, where: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        problem,
        where=where,
        remedy=message("ssh.configured-key.remedy", "fix the IdentityFile in ~/.ssh/config"),
    )


def _denied(where: str, client: LoginClient) -> AuthenticationFailed:
    if client.locked_key:
        return AuthenticationFailed(
            client.locked_key,
            where=where,
            remedy=KEY_LOCKED_REMEDY,
        )
    if client.answered:
        return AuthenticationFailed(
            message("ssh.password-rejected", "the node rejected the password and all SSH keys"),
            where=where,
            remedy=message(
                "ssh.password-rejected.remedy",
                "check the user name and the password; a Windows account without a password cannot log in",
            ),
        )
    return AuthenticationFailed(
        message("ssh.keys-rejected", "the node rejected all SSH keys"),
        where=where,
        remedy=message(
            "ssh.keys-rejected.remedy",
            "add your public key to authorized_keys on the node (for administrators on Windows: "
            r"%ProgramData%\ssh\administrators_authorized_keys), or type a password in a terminal",
        ),
    )


def _from_system(error: BaseException, client: LoginClient) -> TransportError:
    where = str(client.endpoint)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return Unresolved(
            NAME_NOT_RESOLVED,
            where=where,
            remedy=message("ssh.name.remedy", "set the node's `address` to its IP address"),
        )
    if isinstance(error, TimeoutError):
        return _late(client.stages, where)
    if _refused(error):
        return Refused(
            message("ssh.refused", "the connection was refused: no program listens on this port"),
            where=where,
            remedy=_SETUP,
        )
    if isinstance(error, ConnectionResetError):
        return Unreachable(
            message("ssh.reset", "the connection was reset during the login"), where=where, remedy=_SETUP
        )
    return Unreachable(
        message("ssh.unreachable", "the node cannot be reached: {error}", error=system_error(error)),
        where=where,
        remedy=message("ssh.unreachable.remedy", "check the node's address and the network"),
    )


def _late(stages: LoginStages, where: str) -> TransportError:
    """Return the error for a stage of the login that has lasted too long."""
    match stages.stage:
        case "reach":
            return Unreachable(
                no_answer(stages.limit),
                where=where,
                remedy=message(
                    "ssh.no-answer.remedy",
                    "check that the machine is on, the address is right and its firewall allows SSH",
                ),
            )
        case "banner":
            return Unreachable(
                message(
                    "ssh.no-banner",
                    "the port is open, and no SSH server has answered within {seconds:duration}",
                    seconds=stages.limit,
                ),
                where=where,
                remedy=message(
                    "ssh.no-banner.remedy",
                    "check that an SSH server listens on this port, and the load of the node (restart sshd "
                    "if it hangs)",
                ),
            )
        case "key-exchange":
            return SlowLogin(
                message(
                    "ssh.no-key-exchange",
                    "the SSH server {server} has answered, and the key exchange did not end within "
                    "{seconds:duration}",
                    server=quoted(stages.server_version),
                    seconds=stages.limit,
                ),
                where=where,
                remedy=message(
                    "ssh.no-key-exchange.remedy",
                    "check the load of the node, and that the network carries large packets (MTU of a VPN)",
                ),
            )
        case "authentication":
            return SlowLogin(
                message(
                    "ssh.slow-logon",
                    "the SSH server {server} has answered, and the logon did not end within "
                    "{seconds:duration}",
                    server=quoted(stages.server_version),
                    seconds=stages.limit,
                ),
                where=where,
                remedy=message(
                    "ssh.slow-logon.remedy",
                    "check on the node why the logon of this account is slow (on Windows: an unreachable "
                    "domain controller, a roaming profile), then try again",
                ),
            )


def _refused(error: BaseException) -> bool:
    # A name with several addresses gives one error, with the numbers of all in its text.
    numbers = re.findall(r"\[(?:Errno|WinError) (\d+)\]", str(error))
    return isinstance(error, ConnectionRefusedError) or (bool(numbers) and set(map(int, numbers)) <= _REFUSED)
