"""The interface of a transport, which opens duplex byte channels to processes on a node."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.wire.message import EMPTY, Message
from transports.login_shell import LoginShell

READ_SIZE = 1 << 16
#: Number of final bytes of a process's stderr that a channel stores.
STDERR_KEPT = 1 << 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a node's service and the login user. Contains no secret."""

    host: str
    port: int | None = None
    user: str | None = None
    #: Private key files to offer. Without any, those of ~/.ssh/config, the ssh agent and the usual ones.
    identities: tuple[Path, ...] = ()
    #: Options that the transport's kind declares, e.g. ``{"scheme": "https"}`` for winrm.
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{user}{self.host}{port}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key to be confirmed: ``algorithm`` and ``SHA256:...`` fingerprint."""

    host: str
    port: int
    algorithm: Message
    fingerprint: str


class Prompts(Protocol):
    """Questions of a transport to the user. The transport does not store the answers."""

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return the password or, depending on ``reason``, a key's passphrase; None cancels the login.

        A ``reason`` without an id is the node's own question.
        """

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return whether the user has compared the fingerprint and trusts the key."""


class NoPrompts:
    """Prompts without a user: no password, and no new host key is trusted."""

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return None."""
        return None

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return False."""
        return False


class Channel(abc.ABC):
    """The stdin, stdout and stderr of one process on a node, 8-bit clean."""

    @abc.abstractmethod
    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end; raises ChannelLost."""

    @abc.abstractmethod
    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin, with flow control; raises ChannelLost."""

    @abc.abstractmethod
    async def write_eof(self) -> None:
        """Close the process's stdin."""

    @abc.abstractmethod
    async def wait(self) -> int | None:
        """Return the exit status once the process has ended; None if the node did not report one."""

    @abc.abstractmethod
    def stderr(self) -> bytes:
        """Return the last STDERR_KEPT bytes that the process wrote to stderr."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Close the channel: the process gets end of file. Safe to call twice."""


def _ignore(_: Message) -> None:
    """Report nothing."""


@dataclass
class Transport(abc.ABC):
    """A login on one node, on which channels are opened. Use one event loop for all calls."""

    endpoint: Endpoint
    prompts: Prompts = field(default_factory=NoPrompts)
    #: Called, again and again, with what a login or a start that takes long is waiting for.
    waiting: Callable[[Message], None] = _ignore

    @property
    def method(self) -> Message:
        """The chosen connection method and the reason; empty for a transport with one method."""
        return EMPTY

    @abc.abstractmethod
    async def connect(self) -> None:
        """Connect and log in; raises TransportError. Does nothing if connected."""

    @abc.abstractmethod
    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` on the node, connecting first if necessary; raises TransportError."""

    @property
    def loses_quotes(self) -> bool:
        """Whether the node's shell may get a line without its double quotes; False before the login."""
        return False

    async def open_by_powershell(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` where :attr:`loses_quotes` is true and the shell is PowerShell."""
        return await self.open(argv)

    async def login_shell(self) -> LoginShell | None:
        """Return the shell that runs commands on the node, for a diagnosis.

        It costs a start of that shell. None if the transport needs no shell or nothing answers.
        """
        return None

    @abc.abstractmethod
    async def close(self) -> None:
        """Log out, which ends the channels. Safe to call twice."""
