"""What the nodes screen is tested with: all is well, or two nodes are gone."""

from __future__ import annotations

from collections.abc import Iterator

from agent.wire.message import message
from fleet.events import (
    Event,
    LinkChanged,
    Notice,
    TelemetrySampled,
)
from tests.console.recorded_fleet import NO_ANSWER, NO_ANSWER_REMEDY, NODES, START, links, sample


def unreachable() -> Iterator[Event]:
    yield LinkChanged(
        node="gpu4",
        at=START + 3,
        state="failed",
        transport="ssh",
        detail=NO_ANSWER,
        remedy=NO_ANSWER_REMEDY,
    )
    yield Notice(
        node="gpu4",
        at=START + 3,
        level="error",
        text=NO_ANSWER,
        remedy=NO_ANSWER_REMEDY,
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
        detail=message("winrm.broke", "the WinRM connection broke ({error})", error="Connection reset"),
        remedy=message(
            "winrm.command-killed.remedy", "check whether the node or its WinRM service was restarted"
        ),
    )
    yield from unreachable()
