"""Processes on this machine: the master is a node too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.wire.message import message
from transports.kind import TransportKind

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport


def _create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path) -> Transport:
    from transports.local.transport import LocalTransport

    return LocalTransport(endpoint, prompts)


KIND: Final = TransportKind(
    name="local",
    summary=message("transport.local", "a process on the master, without a login"),
    create=_create,
    is_local=True,
)
