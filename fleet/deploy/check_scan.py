"""Whether a node can have the files of a scan."""

from __future__ import annotations

from collections.abc import Sequence

from agent.wire.message import EMPTY, Message, message
from fleet.deploy.portability import decomposed, faults_on_windows
from fleet.deploy.reporter import Reporter
from fleet.deploy.scan import Finding, Scan
from fleet.errors import FleetError
from fleet.events import Event


def check_scan(scan: Scan, report: Reporter, *, windows: bool) -> list[Event]:
    """Return notices about names; raises FleetError when the node can't have some of the files."""
    paths = [file.path for file in scan.files]
    events: list[Event] = []
    odd = decomposed(paths)
    if odd and windows:
        remedy = message(
            "deploy.decomposed.remedy",
            "rename them to composed names (NFC), which programs expect",
        )
        events.append(report.warning(_decomposed(odd), remedy))
    refuse((*scan.faults, *(faults_on_windows(paths) if windows else ())))
    return events


def refuse(faults: Sequence[Finding]) -> None:
    """Raise FleetError with every fault, if there is one."""
    if not faults:
        return
    whats = [fault.what for fault in faults]
    remedies = sorted({fault.remedy for fault in faults if fault.remedy})
    raise FleetError(
        whats[0] if len(whats) == 1 else message("deploy.faults", "{faults:\n}", faults=whats),
        remedy=_together(remedies),
    )


def _together(remedies: Sequence[Message]) -> Message:
    if len(remedies) > 1:
        return message("deploy.remedies", "{remedies:; }", remedies=remedies)
    return remedies[0] if remedies else EMPTY


def _decomposed(paths: Sequence[str]) -> Message:
    if len(paths) == 1:
        return message(
            "deploy.decomposed", "{path!r} is stored in decomposed characters (NFD)", path=paths[0]
        )
    return message(
        "deploy.several-decomposed",
        "{path!r} and {count:n more name} are stored in decomposed characters (NFD)",
        path=paths[0],
        count=len(paths) - 1,
    )
