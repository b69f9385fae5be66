"""Events for the tests of the preflight screen: half done, and with a firewall that drops connections."""

from __future__ import annotations

from collections.abc import Iterator

from agent.wire.message import message
from fleet.events import CheckFinished, Event
from tests.console.record_routes import routes
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
OK = message("preflight.link-works", "ok")
NOT_CHECKED = message(
    "preflight.not-checked",
    "not checked: {reason}",
    reason=message("preflight.no-connection", "no connection"),
)


def preflight_busy() -> Iterator[Event]:
    yield from links()
    for index, node in enumerate(NODES):
        for number, check in enumerate(CHECKS):
            if index == 4 and number:
                break
            if index == 3 and number > 6:
                break
            yield CheckFinished(node=node, at=START + number, check=check, status="ok", seen=OK)
    yield from routes(list(NODES)[:3], START + 8)


def preflight_error() -> Iterator[Event]:
    yield from links()
    for node in list(NODES)[:4]:
        for check in CHECKS:
            yield CheckFinished(node=node, at=START + 5, check=check, status="ok", seen=OK)
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="29500",
        status="fail",
        seen=message(
            "preflight.blocked-ports",
            "{sources} cannot connect to {target} on port {ports}: {reason}",
            sources="gpu[1-2]",
            target="연구실-3",
            ports="29500",
            reason=message(
                "preflight.outcome-dropped",
                "no response although a listener was open (dropped by a firewall)",
            ),
        ),
        why=message("check.port.why", "ranks connect to the rendezvous port of rank 0's node"),
        remedy=message(
            "preflight.port-blocked-windows.remedy",
            "allow the addresses of all nodes on all TCP ports of {node} (dtui preflight --fix, or "
            "worker_setup.ps1)",
            node="연구실-3",
        ),
    )
    yield CheckFinished(
        node="연구실-3",
        at=START + 6,
        check="disk",
        status="warn",
        seen=message(
            "preflight.disk-low",
            "{disk}: checkpoints and logs need space too",
            disk=message(
                "preflight.disk", "{free:bytes} free in {path}", free=200 << 20, path="D:\\ml-project"
            ),
        ),
        why=message("check.disk.why", "a deploy and checkpoints need space in the project folder"),
        remedy=message("preflight.disk-low.remedy", "free disk space on {node}", node="연구실-3"),
    )
    yield CheckFinished(
        node="gpu2",
        at=START + 6,
        check="winrm",
        status="skip",
        seen=message("preflight.service-unused", "not used (transport: {transport})", transport="ssh"),
    )
    yield CheckFinished(
        node="gpu4",
        at=START + 6,
        check="ping",
        status="fail",
        seen=message("preflight.ping-no-reply", "no reply to ICMP echo, and no port responds"),
        why=message("check.ping.why", "a connection that loses packets slows every step down"),
        remedy=message(
            "preflight.ping-no-reply.remedy",
            "check that {node} is on and has the address {address}",
            node="gpu4",
            address=NODES["gpu4"][0],
        ),
    )
    for check in CHECKS[1:]:
        yield CheckFinished(node="gpu4", at=START + 6, check=check, status="skip", seen=NOT_CHECKED)
    dropped = {"29500": "dropped"}
    closed = {("gpu1", "연구실-3"): dropped, ("gpu2", "연구실-3"): dropped}
    closed["연구실-3", "gpu1"] = {"29503": "refused", "29504": "refused"}
    yield from routes(
        list(NODES)[:4], START + 7, closed, {"master": 1170, "gpu1": 1170, "gpu2": 1170, "연구실-3": 117.5}
    )
