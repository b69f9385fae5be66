"""Deploys to lab nodes over real SSH and real WinRM."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.deploy import DeployOptions, deploy
from fleet.events import CopyProgressed, Notice
from fleet.fleet import Fleet
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON, Outcome, Site, tree


class LabSite:
    """A lab with the fleet that reaches it."""

    def __init__(self, site: Site, lab: Lab) -> None:
        self.site = site
        self.lab = lab
        self.inventory = lab.inventory(site.source, python=BASE_PYTHON)
        lab.trust(site.source / ".dtui/known_hosts")

    def project(self, name: str) -> Path:
        """Return where the node keeps the project, on this machine's disk."""
        return self.lab.node(name).home.folder / self.inventory.node(name).project.removeprefix("~/")

    async def deploy(self, options: DeployOptions | None = None, cut: str | None = None) -> Outcome:
        """Deploy to all workers; break the links of the node ``cut`` once its copy has begun."""
        outcome = Outcome()
        home = self.site.source / ".dtui"
        async with Fleet(self.inventory, home=home, prompts=self.lab.prompts) as fleet:
            async for event in deploy(fleet, self.inventory.workers, options or DeployOptions()):
                outcome.events.append(event)
                if cut and isinstance(event, CopyProgressed) and event.node == cut:
                    self.lab.node(cut).drop_connections()
                    cut = None
        return outcome


@pytest.fixture
async def lab_site(site: Site) -> AsyncIterator[LabSite]:
    async with Lab(3, winrm=1, root=site.path / "lab") as lab:
        yield LabSite(site, lab)


async def test_every_transport_carries_a_deploy_and_the_next_one_sends_nothing(lab_site: LabSite) -> None:
    site = lab_site.site
    site.write({"train.py": "1", "data/big.bin": os.urandom(3_000_000), "한글/파일.txt": "내용\n"})
    site.write({f"small/{number}": f"file {number}" for number in range(300)})
    configure = DeployOptions(configure=lambda node: {".dtui/accelerate_config.yaml": f"of {node.name}"})
    first = await lab_site.deploy(configure)
    for node in lab_site.inventory.workers:
        assert first.end(node.name).ok, first.end(node.name).detail
        assert tree(lab_site.project(node.name)) == tree(site.source)
        config = lab_site.project(node.name) / ".dtui/accelerate_config.yaml"
        assert config.read_text() == f"of {node.name}"
    site.write({"train.py": "22"})
    second = await lab_site.deploy()
    assert {second.end(node.name).bytes_sent for node in lab_site.inventory.workers} == {2}
    third = await lab_site.deploy()
    assert {third.end(node.name).bytes_sent for node in lab_site.inventory.workers} == {0}


async def test_a_dropped_ssh_connection_is_taken_up_where_it_was(lab_site: LabSite) -> None:
    site = lab_site.site
    site.write({"a.py": "1", "big.bin": os.urandom(30_000_000)})
    outcome = await lab_site.deploy(cut="node1")
    for node in lab_site.inventory.workers:
        assert outcome.end(node.name).ok, outcome.end(node.name).detail
        assert tree(lab_site.project(node.name)) == tree(site.source)
    assert [notice.node for notice in outcome.of(Notice, "node1")] == ["node1"]


async def test_a_node_that_is_off_fails_alone_and_is_named(lab_site: LabSite) -> None:
    site = lab_site.site
    site.write({"a.py": "1"})
    await lab_site.lab.node("node2").power_off()
    outcome = await lab_site.deploy()
    assert [outcome.end(f"node{number}").ok for number in (1, 2, 3)] == [True, False, True]
    failed = outcome.end("node2")
    assert failed.detail.startswith("connect: ")
    assert failed.remedy
