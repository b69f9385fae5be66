"""What the preflight screen is tested with: half done, and with a firewall in the way."""

from __future__ import annotations

from collections.abc import Iterator

from fleet.events import (
    CheckFinished,
    Event,
)
from tests.console.record_ways import ways
from tests.console.recorded_fleet import NODES, START, links

CHECKS = (
    "ping",
    "ssh",
    "winrm",
    "login",
    "python",
    "29500",
    "29501",
    "29502",
    "29503",
    "29504",
    "gpu",
    "disk",
)


def preflight_busy() -> Iterator[Event]:
    yield from links()
    for index, node in enumerate(NODES):
        for number, check in enumerate(CHECKS):
            if index == 4 and number:
                break
            if index == 3 and number > 6:
                break
            yield CheckFinished(
                node=node, at=START + number, check=check, status="ok", seen="as it should be"
            )
    yield from ways(list(NODES)[:3], START + 8)


def preflight_error() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[:4]:
        for check in CHECKS:
            yield CheckFinished(node=node, at=START + 5, check=check, status="ok", seen="as it should be")
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="29500",
        status="fail",
        seen="gpu1 and gpu2 get no answer on 192.168.1.103:29500; the firewall drops the packets",
        why="Ranks meet on this port: the run would wait 30 minutes in silence and then fail.",
        remedy="New-NetFirewallRule -DisplayName dtui -Direction Inbound -Protocol TCP "
        "-LocalPort 29500-29504 -RemoteAddress 192.168.1.0/24 -Action Allow",
    )
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="disk",
        status="warn",
        seen="10.0 GiB free in D:\\ml-project, a checkpoint takes 0.6 GiB",
        why="20 checkpoints would not fit.",
        remedy="Lower max_checkpoints, or free some space.",
    )
    yield CheckFinished(node="gpu2", at=START + 6, check="winrm", status="skip", seen="not used: ssh answers")
    yield CheckFinished(
        node="gpu4",
        at=START + 6,
        check="ping",
        status="fail",
        seen="no answer to 4 pings in 4 s",
        why="Nothing else can be checked.",
        remedy="Is the machine on? Does it sleep? Is the address right?",
    )
    for check in CHECKS[1:]:
        yield CheckFinished(
            node="gpu4", at=START + 6, check=check, status="skip", seen="the node is not reached"
        )
    dropped = {"29500": "dropped"}
    closed = {("gpu1", "연구실-3"): dropped, ("gpu2", "연구실-3"): dropped}
    closed["연구실-3", "gpu1"] = {"29503": "refused", "29504": "refused"}
    yield from ways(
        list(NODES)[:4], START + 7, closed, {"master": 1170, "gpu1": 1170, "gpu2": 1170, "연구실-3": 117.5}
    )
