"""What the nodes screen is tested with: all is well, or two nodes are gone."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.events import (
    Event,
    LinkChanged,
    Notice,
    TelemetrySampled,
)
from tests.console.recorded_fleet import NODES, START, links, sample


def unreachable() -> Iterator[Event]:
    yield LinkChanged(
        node="gpu4",
        at=START + 3,
        state="failed",
        transport="ssh",
        detail="192.168.1.104 does not answer on port 22 (timeout after 10 s)",
        remedy="Is the machine on, and has worker_setup.ps1 been run there? `ping 192.168.1.104` tells more.",
    )
    yield Notice(
        node="gpu4",
        at=START + 3,
        level="error",
        text="no connection",
        remedy="Switch it on, or take it out of nodes.yaml.",
    )


def nodes_busy() -> Iterator[Event]:
    yield from links()
    for second in range(30):
        for index, node in enumerate(list(NODES)[:4]):
            yield TelemetrySampled(node=node, at=START + second, sample=sample(node, index, second, False))
    yield LinkChanged(node="gpu4", at=START + 1, state="connecting", transport="ssh")


def nodes_error() -> Iterator[Event]:
    yield from links(3)
    yield LinkChanged(
        node="연구실-3",
        at=START + 40,
        state="lost",
        transport="winrm",
        detail="the connection was reset",
        remedy="dtui connects again by itself; a run on this node goes on.",
    )
    yield from unreachable()
