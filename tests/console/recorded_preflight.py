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
            yield CheckFinished(node=node, at=START + number, check=check, status="ok", seen="works")
    yield from ways(list(NODES)[:3], START + 8)


def preflight_error() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[:4]:
        for check in CHECKS:
            yield CheckFinished(node=node, at=START + 5, check=check, status="ok", seen="works")
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="29500",
        status="fail",
        seen="gpu[1-2] can't reach 연구실-3 on 29500: "
        "no answer although a listener was there (a firewall drops it)",
        why="ranks meet at the rendezvous port of rank 0's node",
        remedy="let the cluster's addresses in at all TCP ports (dtui preflight --fix, or worker_setup.ps1)",
    )
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="disk",
        status="warn",
        seen="200 MB free at D:\\ml-project: checkpoints and logs need some, too",
        why="a deploy and checkpoints need space at the project's folder",
        remedy="free some space",
    )
    yield CheckFinished(
        node="gpu2", at=START + 6, check="winrm", status="skip", seen="not the way in: transport ssh"
    )
    yield CheckFinished(
        node="gpu4",
        at=START + 6,
        check="ping",
        status="fail",
        seen="no answer to ICMP echo, nor at any door",
        why="a link that loses packets slows every step down",
        remedy="check that it is switched on and has this address",
    )
    for check in CHECKS[1:]:
        yield CheckFinished(
            node="gpu4", at=START + 6, check=check, status="skip", seen="not checked: no connection"
        )
    dropped = {"29500": "dropped"}
    closed = {("gpu1", "연구실-3"): dropped, ("gpu2", "연구실-3"): dropped}
    closed["연구실-3", "gpu1"] = {"29503": "refused", "29504": "refused"}
    yield from ways(
        list(NODES)[:4], START + 7, closed, {"master": 1170, "gpu1": 1170, "gpu2": 1170, "연구실-3": 117.5}
    )
