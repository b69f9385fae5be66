"""Preflight of Windows nodes: Windows Python 3.9 by SSH and 3.11 by WinRM, Korean code page (Wine)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.events import CheckFinished, PairProbed
from fleet.fleet import Fleet
from fleet.preflight import PreflightOptions, preflight
from fleet.preflight.fix_runner import apply_fix, find_fixes
from lab.lab import Lab
from lab.wine.locale_files import KOREAN
from lab.wine.machine import WindowsMachine

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]


@pytest.fixture
def korean() -> Iterator[WindowsMachine]:
    with WindowsMachine(locale=KOREAN) as running:
        yield running


async def test_windows_nodes_are_checked_and_fixed(korean: WindowsMachine, tmp_path: Path) -> None:
    async with Lab(2, winrm=1, windows=korean) as lab:
        home = tmp_path / ".dtui"
        lab.trust(home / "known_hosts")
        async with Fleet(lab.inventory(tmp_path), home=home, prompts=lab.prompts) as fleet:
            options = PreflightOptions(checks=("reach", "ports", "machine", "network"))
            events = [event async for event in preflight(fleet, fleet.nodes, options)]
            cells = {(one.node, one.check): one for one in events if isinstance(one, CheckFinished)}
            assert not [one for one in cells.values() if one.status == "fail"]
            probed = [one for one in events if isinstance(one, PairProbed)]
            outcomes = {(one.node, one.peer): set(one.ports.values()) for one in probed if one.ports}
            measured = {(one.node, one.peer) for one in probed if one.bytes_per_second}
            assert measured == set(outcomes), "both systems send and receive"
            assert len(outcomes) == 6
            assert all(found == {"open"} for found in outcomes.values()), "Linux and Windows reach each other"
            assert "OpenSSH_for_Windows" in cells["node1", "ssh"].seen
            assert "Microsoft" in cells["node2", "winrm"].seen
            for node in ("node1", "node2"):
                assert cells[node, "utf8"].seen.startswith("code page 949")
                assert cells[node, "long-paths"].status == "warn"
                assert (cells[node, "login-shell"].status, cells[node, "login-shell"].seen) == (
                    "ok",
                    "cmd.exe",
                )

            (fix,) = await find_fixes(fleet, fleet.nodes, {"node1": ["long-paths"]})
            assert fix.node == "node1"
            assert fix.shown.startswith("reg add HKLM")
            again = [event async for event in apply_fix(fleet, fleet.nodes, fix, options)]
            (cell,) = [one for one in again if isinstance(one, CheckFinished)]
            assert (cell.node, cell.check, cell.status) == ("node1", "long-paths", "ok")
