"""Probe and telemetry of Windows nodes: ctypes, the registry and processes as Windows Python has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.wire.operations import OPERATIONS
from fleet.events import TelemetrySampled
from fleet.fleet import Fleet
from fleet.telemetry import watch
from lab.lab import Lab
from lab.wine.machine import WindowsMachine

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]


@pytest.fixture
async def fleet(korean: WindowsMachine, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A Korean Windows node with Python 3.9 by SSH, and one with 3.11 by WinRM."""
    async with Lab(2, winrm=1, windows=korean) as lab:
        home = tmp_path / ".dtui"
        home.mkdir()
        lab.trust(home / "known_hosts")
        async with Fleet(lab.inventory(tmp_path), home=home, prompts=lab.prompts) as opened:
            yield opened


async def test_the_facts_of_a_korean_windows(fleet: Fleet) -> None:
    for node in fleet.inventory.workers:
        link = await fleet.link(node)
        facts: dict[str, Any] = await link.call(
            OPERATIONS["probe"], {"project": r"C:\no\such", "master_address": "127.0.0.1"}
        )
        system = facts["os"]
        assert (system["system"], system["codepage"], system["oem_codepage"]) == ("Windows", 949, 949)
        assert system["build"].startswith("10.0.")
        assert system["locale"] == "ko-KR"
        assert facts["cpu"]["threads"] >= facts["cpu"]["cores"] >= 1
        assert 0 < facts["ram"]["free"] <= facts["ram"]["total"]
        assert facts["paging"]["commit_free"] <= facts["paging"]["commit_limit"]
        assert facts["disk"]["path"] == "C:\\"
        assert facts["disk"]["free"] > 0
        assert facts["long_paths"] in (True, False)
        assert facts["execution_policy"]
        assert facts["elevated"] in (True, False)
        assert (facts["gpus"], facts["gpu_source"]) == ([], "none")
        assert facts["gpu_error"]
        towards = [adapter for adapter in facts["adapters"] if adapter["routes_to_master"]]
        assert [adapter["loopback"] for adapter in towards] == [True]
        assert "127.0.0.1" in towards[0]["addresses"]
        assert facts["route"]["source"] == "127.0.0.1"


async def test_the_load_of_windows_nodes(fleet: Fleet) -> None:
    workers = fleet.inventory.workers
    seen: dict[str, list[dict[str, Any]]] = {node.name: [] for node in workers}
    async for event in watch(fleet, workers, interval=0.3, count=4):
        assert isinstance(event, TelemetrySampled), getattr(event, "detail", event)
        seen[event.node].append(event.sample)
    for samples in seen.values():
        last = samples[-1]
        assert len(samples) == 4
        assert 0 <= last["cpu"]["util"] <= 100
        assert 0 < last["ram"]["used"] < last["ram"]["total"]
        assert last["network"]["adapter"]
        assert (last["source"], last["gpus"], last["stale"]) == ("none", [], False)
