"""What a client and the controller of its project send each other: one JSON object in each line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import UnionType
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import Message
from fleet import message_json
from fleet.inventory import Inventory
from fleet.plan import RunPlan
from fleet.runs.keeper import AttemptEnded
from fleet.runs.options import WatchOptions
from transports.base import Endpoint

#: Bytes of a line: a plan has a few KB for each node.
MAX_LINE = 32 << 20

T = TypeVar("T")


class Hello(Struct, frozen=True, kw_only=True, tag="hello", forbid_unknown_fields=True):
    """The client's first line: what it read from the address file, and its version of dtui."""

    token: str
    version: str


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome", forbid_unknown_fields=True):
    """The answer: the controller's version."""

    version: str


class Retire(Struct, frozen=True, kw_only=True, tag="retire", forbid_unknown_fields=True):
    """Take no further runs, and end after those that are kept: another version takes over."""


class Prepare(Struct, frozen=True, kw_only=True, tag="prepare", forbid_unknown_fields=True):
    """Connect to these nodes of an inventory, with the passwords that the user has typed."""

    inventory: Inventory
    nodes: tuple[str, ...]
    passwords: tuple[tuple[Endpoint, str], ...] = ()


class Ready(Struct, frozen=True, kw_only=True, tag="ready", forbid_unknown_fields=True):
    """All nodes are connected."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The time limits of WatchOptions, in seconds."""

    join_notice: float
    start_timeout: float | None
    stall_notice: float
    stall_timeout: float | None
    unreachable_limit: float | None
    failing_limit: float

    def watch_options(self) -> WatchOptions:
        """Return options with these limits."""
        return replace(WatchOptions(), **msgspec.structs.asdict(self))


def limits_of(options: WatchOptions) -> Limits:
    """Return the limits of options."""
    return Limits(**{name: getattr(options, name) for name in Limits.__struct_fields__})


class Adopt(Struct, frozen=True, kw_only=True, tag="adopt", forbid_unknown_fields=True):
    """Keep a run of the prepared nodes. The secrets are needed for a restart, and stay in memory."""

    plan: RunPlan
    #: The attempt that has been launched.
    attempt: int
    limits: Limits
    grace: float
    max_restarts: int
    secrets: Mapping[str, str] = {}


class Adopted(Struct, frozen=True, kw_only=True, tag="adopted", forbid_unknown_fields=True):
    """The controller keeps the run."""


class Refused(Struct, frozen=True, kw_only=True, tag="refused", forbid_unknown_fields=True):
    """The controller cannot do it."""

    reason: Message
    remedy: Message


Request = Hello | Retire | Prepare | Adopt
Reply = Welcome | Ready | Adopted | Refused | AttemptEnded


class WireError(Exception):
    """The other side has sent what is no line of this protocol, or has closed the connection."""


class Connection:
    """One connection between a client and the controller."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, value: Request | Reply) -> None:
        """Send an object; raises OSError."""
        self._writer.write(encoded_line(value))
        await self._writer.drain()

    async def receive(self, kind: type[T] | UnionType) -> T:
        """Return the next object, of this type or union; raises WireError."""
        try:
            line = await self._reader.readuntil(b"\n")
            return decoded_line(line, kind)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            raise WireError(str(error) or type(error).__name__) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
            # Its text may quote a value, which may be a password.
            raise WireError(type(error).__name__) from None

    async def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


def encoded_line(value: Request | Reply) -> bytes:
    """Return an object as a line."""
    return msgspec.json.encode(value, enc_hook=_encoded) + b"\n"


def decoded_line(line: bytes, kind: type[T] | UnionType) -> T:
    """Return the object of this type or union; raises as msgspec does."""
    return msgspec.json.decode(line, type=kind, dec_hook=_decoded)


def _encoded(value: object) -> object:
    return str(value) if isinstance(value, Path) else message_json.encoded(value)


def _decoded(kind: type, value: object) -> object:
    return Path(value) if kind is Path and isinstance(value, str) else message_json.decoded(kind, value)
