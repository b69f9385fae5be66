"""The declaration of a transport, which inventory, preflight, ``init``, console and documents read.

A declaration is read at start, so the module that holds it imports no network library; ``create`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import Message

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport
    from transports.errors import TransportError

#: The parts of a login. `port`, `user` and `identity` are keys of a node in nodes.yaml.
Setting = Literal["port", "user", "identity", "password", "host-key"]
#: Services that preflight recognises; `tcp` is any service that accepts a connection.
Protocol = Literal["ssh", "winrm", "tcp"]


class Text(Struct, frozen=True):
    """Any text on one line."""


class Choice(Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]


class WholeNumber(Struct, frozen=True):
    """A number from ``low`` to ``high``."""

    low: int
    high: int


class LocalPath(Struct, frozen=True):
    """A path on the master, given to the transport as an absolute path."""


class Option(Struct, frozen=True):
    """A key of the block in nodes.yaml that has the transport's name; an endpoint has its value as text."""

    name: str
    type: Text | Choice | WholeNumber | LocalPath
    #: Its effect, for the reference in docs/inventory.md.
    help: str
    default: str = ""
    #: The accepted form, for the reference; empty for the usual description of the type.
    form: str = ""

    @property
    def accepted(self) -> str:
        """The accepted values on one line, for the console's node form; may be empty."""
        match self.type:
            case Choice(words):
                return " | ".join(words)
            case WholeNumber(low, high):
                return f"{low}-{high}"
        return self.form


class Service(Struct, frozen=True):
    """A service on a node; ``scheme`` is `http` or `https` where the protocol has both."""

    protocol: Protocol
    port: int
    scheme: str = ""


def on_given_port(services: tuple[Service, ...], endpoint: Endpoint) -> tuple[Service, ...]:
    """Return all services, on the endpoint's port if it has one."""
    return tuple(replace(service, port=endpoint.port or service.port) for service in services)


class ServiceCheck(Struct, frozen=True, kw_only=True):
    """How preflight checks, from the master and without a login, that a node can be reached.

    The check has the name of the transport.
    """

    title: Message
    #: With their default ports.
    services: tuple[Service, ...]
    #: The services to probe for an endpoint.
    select: Callable[[tuple[Service, ...], Endpoint], tuple[Service, ...]] = on_given_port
    #: Returns the remedy for a node if none of its services responds; None for the general one.
    remedy: Callable[[str], Message] | None = None


def _always(endpoint: Endpoint) -> bool:
    return True


def _allowed(endpoint: Endpoint, known_hosts: Path) -> TransportError | None:
    return None


class AutoMethod(Struct, frozen=True, kw_only=True):
    """A connection method of ``transport: auto``. Methods are tried in ascending ``order``.

    The endpoint has the options of the method's own transport only.
    """

    name: str
    order: int
    #: The last argument bounds the first contact in seconds.
    create: Callable[[Endpoint, Prompts, Path, float], Transport]
    #: Whether the endpoint's options admit this method.
    admits: Callable[[Endpoint], bool] = _always
    #: Why the method must not be tried on this endpoint, None if it may.
    forbids: Callable[[Endpoint, Path], TransportError | None] = _allowed


class TransportKind(Struct, frozen=True, kw_only=True):
    """A transport: a package of ``transports`` that has one of these as ``KIND``.

    ``create`` gets the endpoint, the user's answers and dtui's own file of host keys; it does not connect.
    """

    #: Also the package's name, and the value of `transport:` in nodes.yaml.
    name: str
    #: A description for docs/transports.md.
    summary: Message
    create: Callable[[Endpoint, Prompts, Path], Transport]
    uses: frozenset[Setting] = frozenset()
    options: tuple[Option, ...] = ()
    #: Whether the node is the master's own machine.
    is_local: bool = False
    check: ServiceCheck | None = None
    #: How it takes part in ``transport: auto``; not at all without a method.
    auto: tuple[AutoMethod, ...] = ()
    #: The connection plugins of Ansible that mean this transport, for `dtui init --from`.
    ansible: tuple[str, ...] = ()
    #: The transports that this one tries; none for a transport that connects by itself.
    tries: tuple[TransportKind, ...] = ()

    @property
    def members(self) -> tuple[TransportKind, ...]:
        """The transports that may connect: those that this one tries, or the transport itself."""
        return self.tries or (self,)
