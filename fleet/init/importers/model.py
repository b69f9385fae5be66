"""What an importer finds in another tool's file."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from agent.wire.message import Message


class Host(Struct, frozen=True, kw_only=True):
    """One machine, with what the file contains about it; otherwise None and empty."""

    name: str
    address: str
    transport: str | None = None
    port: int | None = None
    user: str | None = None
    identity: Path | None = None
    #: Python that runs the agent.
    python: str | None = None
    gpus: int | None = None
    tags: tuple[str, ...] = ()


class Skipped(Struct, frozen=True):
    """An entry, or a part of one, that was not imported: where it is, and why."""

    where: str
    reason: Message


class Imported(Struct, frozen=True, kw_only=True):
    """The contents of a file, as far as an inventory can hold them."""

    #: The name of the format, for messages.
    format: Message
    hosts: tuple[Host, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    #: Address and port of the rendezvous.
    master_address: str = ""
    port: int | None = None
    #: The file itself is an Accelerate configuration, to be used by the run.
    accelerate: bool = False
    #: How many machines the file expects in addition to those that it names.
    machines: int | None = None
