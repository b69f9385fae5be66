"""Agents on Windows nodes, over the SSH and WinRM servers that they would have."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from fleet.fleet import Fleet
from fleet.inventory import Inventory
from lab.lab import Lab
from lab.ssh_node import SshNode
from lab.wine.machine import WindowsMachine
from transports.base import Endpoint
from transports.ssh import SshTransport
from transports.winrm import WinRMTransport

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]


@pytest.fixture
async def lab(machine: WindowsMachine) -> AsyncIterator[Lab]:
    """Four nodes: node1 and node2 by SSH, node3 and node4 by WinRM; Python 3.9 and 3.11 in turn."""
    async with Lab(4, winrm=2, windows=machine) as running:
        yield running


@pytest.fixture
async def fleet(lab: Lab, tmp_path: Path) -> AsyncIterator[Fleet]:
    project = tmp_path / "project"
    project.mkdir()
    home = project / ".dtui"
    lab.trust(home / "known_hosts")
    inventory: Inventory = lab.inventory(project)
    async with Fleet(inventory, home=home, prompts=lab.prompts) as opened:
        yield opened


async def test_the_agent_starts_on_every_node(fleet: Fleet) -> None:
    versions = set()
    for node in fleet.inventory.workers:
        link = await fleet.link(node)
        facts = await link.call("probe")
        assert facts["os"]["system"] == "Windows"
        versions.add(facts["python"]["version"].rpartition(".")[0])
    assert versions == {"3.9", "3.11"}
