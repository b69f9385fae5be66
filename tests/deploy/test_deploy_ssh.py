"""Deploys to lab nodes over real SSH and real WinRM."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions, deploy
from fleet.events import CopyProgressed, Notice
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.inventory.model import DataSettings, DataSync
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


async def test_nested_ignore_rules_hold_on_ssh_nodes_and_are_told_once(lab_site: LabSite) -> None:
    site = lab_site.site
    site.write({"a.py": "1", ".gitignore": "/raw/\n", ".dtuiignore": "!keep.log\n"})
    site.write({"pkg/.gitignore": "*.log\n", "pkg/keep.log": "1", "pkg/x.log": "1", "pkg/logs/b.py": "1"})
    (site.source / "raw").mkdir()
    with (site.source / "raw/x").open("wb") as file:
        file.truncate(1 << 25)
    outcome = await lab_site.deploy()
    for node in lab_site.inventory.workers:
        assert outcome.end(node.name).ok, outcome.end(node.name).detail
        names = {"a.py", ".gitignore", ".dtuiignore", "pkg/.gitignore", "pkg/keep.log", "pkg/logs/b.py"}
        assert set(tree(lab_site.project(node.name))) == names
    (notice,) = outcome.of(Notice, "")
    assert notice.text == "raw is not sent: 1 file, 32.0 MiB, excluded by .gitignore"


@pytest.mark.parametrize("sync", ["once", "mirror"])
async def test_data_goes_to_each_nodes_own_folder_over_every_transport(
    lab_site: LabSite, sync: DataSync
) -> None:
    site, lab = lab_site.site, lab_site.lab
    outside = site.path / "sets"
    site.write({"a.bin": os.urandom(1_500_000), "한글/b.txt": "b"}, outside)
    site.write({"train.py": ""})
    own = lab.node("node1").home.folder / "disk"
    site.write({"a.bin": "older", "mine.txt": "mine"}, own)
    data = DataSettings(root="../sets", on=(("node1", "~/disk"),), sync=sync)
    run = RunSettings(module=None, script="train.py")
    lab_site.inventory = replace(lab_site.inventory, data=data, run=run)
    outcome = await lab_site.deploy(cut="node2")
    for node in lab_site.inventory.workers:
        assert outcome.end(node.name).ok, outcome.end(node.name).detail
        assert set(tree(lab_site.project(node.name))) == {"train.py"}
    wanted = tree(outside)
    kept = {"a.bin": b"older", "mine.txt": b"mine"} if sync == "once" else {}
    assert tree(own) == {**wanted, **kept}
    assert tree(lab_site.project("node2").parent / "sets") == wanted
    named = [notice.text for notice in outcome.of(Notice, "node1")]
    assert [("mine.txt" in text) for text in named] == ([True] if sync == "mirror" else [])


async def test_a_node_that_is_off_fails_alone_and_is_named(lab_site: LabSite) -> None:
    site = lab_site.site
    site.write({"a.py": "1"})
    await lab_site.lab.node("node2").power_off()
    outcome = await lab_site.deploy()
    assert [outcome.end(f"node{number}").ok for number in (1, 2, 3)] == [True, False, True]
    failed = outcome.end("node2")
    assert failed.detail.startswith("connect: ")
    assert failed.remedy
