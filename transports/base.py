"""The one thing a transport does: open a duplex byte channel to a process on a node."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.wire.message import EMPTY, Message, message

READ_SIZE = 1 << 16
#: How much of a process's stderr a channel keeps, from its end.
STDERR_KEPT = 1 << 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens and as whom to log in. Holds no secret."""

    host: str
    port: int | None = None
    user: str | None = None
    #: Private key files to offer. Without any, those of ~/.ssh/config, the ssh agent and the usual ones.
    identities: tuple[Path, ...] = ()
    #: What the transport's kind adds, e.g. ``{"scheme": "https"}`` for winrm.
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        return f"{user}{self.host}{port}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key that waits for confirmation: ``algorithm`` and ``SHA256:...`` fingerprint."""

    host: str
    port: int
    algorithm: Message
    fingerprint: str


class Prompts(Protocol):
    """How a transport asks the user. Answers are never stored by the transport."""

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return the password (or a key's passphrase, as ``reason`` says), or None to give up.

        ``reason`` without an id is the node's own question.
        """

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return True when the user has compared the fingerprint and trusts it."""


class NoPrompts:
    """Answers without a user: no password, no new host key."""

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Give up."""
        return None

    async def trust_host_key(self, key: HostKey) -> bool:
        """Trust nothing."""
        return False


class Channel(abc.ABC):
    """The stdin, stdout and stderr of one process on a node, 8-bit clean."""

    @abc.abstractmethod
    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end; raises ChannelLost."""

    @abc.abstractmethod
    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin, waiting while the other side is slow; raises ChannelLost."""

    @abc.abstractmethod
    async def write_eof(self) -> None:
        """Close the process's stdin."""

    @abc.abstractmethod
    async def wait(self) -> int | None:
        """Return the exit status once the process has ended; None when the node did not say."""

    @abc.abstractmethod
    def stderr(self) -> bytes:
        """Return the last STDERR_KEPT bytes that the process wrote to stderr."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Let go of the channel: the process sees end of file. Safe to call twice."""


@dataclass
class Transport(abc.ABC):
    """A login on one node, on which channels are opened. Use one event loop for all calls."""

    endpoint: Endpoint
    prompts: Prompts = field(default_factory=NoPrompts)

    @property
    def method(self) -> Message:
        """Which connection method was chosen, and why; empty when there was no choice."""
        return EMPTY

    @abc.abstractmethod
    async def connect(self) -> None:
        """Reach the node and log in; raises TransportError. Does nothing when connected already."""

    @abc.abstractmethod
    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` on the node (connecting first if need be); raises TransportError."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Log out. Channels end. Safe to call twice."""


class UnsafeWord(ValueError):
    """A word of a command that not every shell reads alike."""

    def __init__(self, word: str) -> None:
        self.what = message(
            "command.unsafe-word", "{word!r} contains a character that a shell interprets", word=word
        )
        super().__init__(self.what)


def command_line(argv: Sequence[str]) -> str:
    """Join ``argv`` so that cmd.exe, PowerShell and POSIX shells all read the same words.

    Only words that mean the same to all three are accepted: no quote, ``%``, ``$``, ``<``, ``>``,
    backtick, ``!`` or line break; anything longer or stranger goes through stdin. Raises UnsafeWord.
    """
    words = []
    for word in argv:
        if any(character in "\"'%$<>`!\r\n" for character in word):
            raise UnsafeWord(word)
        words.append(word if word and not set(word) & set(" ()&|;^*?~#{}[],=") else f'"{word}"')
    return " ".join(words)
