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
        detail="no answer within 10 s",
        remedy="check that the machine is on, the address is right and its firewall lets SSH in",
    )
    yield Notice(
        node="gpu4",
        at=START + 3,
        level="error",
        text="no answer within 10 s",
        remedy="check that the machine is on, the address is right and its firewall lets SSH in",
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
        detail="the connection broke (Connection reset by peer)",
        remedy="look whether somebody restarted the node or its WinRM service",
    )
    yield from unreachable()
