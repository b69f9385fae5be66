"""Environment checks after a real deploy to lab nodes, by SSH and WinRM; then faults are made on a node."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet import commands
from fleet.deploy import DeployOptions, deploy
from fleet.events import CheckFinished, Event, NodeProbed, Notice, RunPreview
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.preflight import AFTER, PreflightOptions, preflight
from fleet.runs.steps import RunDryRun
from fleet.steps import Job, run_steps
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON

CONFIG = "training:\n  batch_size: 8\n  gradient_accumulation_steps: 2\n  mixed_precision: 'no'\n"


class DeployedProject:
    """A project that is deployed to two workers."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        run = RunSettings(module="trainer", config="configs/train_config.yaml")
        # A Python without torch: its probe takes no time.
        self.inventory = replace(
            lab.inventory(folder, python=BASE_PYTHON, run=run), source=folder / "cluster.yaml"
        )
        lab.trust(folder / ".dtui/known_hosts")

    def project(self, name: str) -> Path:
        return self.lab.node(name).home.folder / self.inventory.node(name).project.removeprefix("~/")

    def fleet(self) -> Fleet:
        return Fleet(self.inventory, home=self.folder / ".dtui", prompts=self.lab.prompts)

    async def run_checks(self, *checks: str) -> dict[tuple[str, str], CheckFinished]:
        async with self.fleet() as fleet:
            options = PreflightOptions(checks=checks)
            events = [event async for event in preflight(fleet, fleet.nodes, options)]
        return {(one.node, one.check): one for one in events if isinstance(one, CheckFinished)}


@pytest.fixture
async def site(
    own_network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DeployedProject]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    for name, text in {
        "trainer/__main__.py": "print('trained')\n",
        "configs/train_config.yaml": CONFIG,
        "cluster.yaml": "nodes: []\n",  # the inventory, which stays on the master
        **{f"data/train/input_text/{number}.txt": f"plan {number}" for number in range(60)},
        **{f"data/train/label_floorplan/{number}.png": f"picture {number}" for number in range(60)},
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    async with Lab(2, winrm=1, root=tmp_path / "lab") as lab:
        made = DeployedProject(lab, folder)
        async with made.fleet() as fleet:
            async for _ in deploy(fleet, fleet.nodes, DeployOptions()):
                pass
        yield made


async def test_what_differs_on_a_node_is_found_and_named(site: DeployedProject) -> None:
    before = await site.run_checks(*AFTER, "ports")
    assert not [one for one in before.values() if one.status in ("warn", "fail")]
    for node in ("master", "node1", "node2"):
        assert before[node, "environment"].status == "ok"
        assert before[node, "code"].seen.startswith("2 files, the same")
        assert "120 files" in before[node, "data"].seen
        assert "with the agent's Python" not in before[node, "29500"].seen, "the training Python listened"
    assert before["master", "batch"].seen.startswith("effective batch 48 = 8 x 3 ranks x 2")
    assert before["master", "batch"].seen.endswith("60 training pairs")

    one, two = site.project("node1"), site.project("node2")
    (one / "trainer/__main__.py").write_text("print('edited on the node')\n")
    (one / "data/train/label_floorplan/7.png").write_text("PICTURE 7", "utf-8")
    (two / "data/train/input_text/3.txt").unlink()
    described = two / ".dtui/environment.json"
    environment = json.loads(described.read_bytes())
    described.write_text(json.dumps({**environment, "python": "3.8.1"}))
    (site.folder / "configs/train_config.yaml").write_text("training: [\n", "utf-8")

    after = await site.run_checks(*AFTER)
    assert after["node1", "code"].status == "fail"
    assert "trainer/__main__.py" in after["node1", "code"].seen
    assert after["node1", "data"].status == "fail"
    assert "data/train/label_floorplan/7.png" in after["node1", "data"].seen
    assert "data/train/input_text has 59 files instead of 60" in after["node2", "data"].seen
    assert after["node2", "python-same"].status == "warn"
    assert after["master", "config"].status == "fail"
    assert "train_config.yaml:" in after["master", "config"].seen


async def test_a_launch_checks_everything_at_once_and_still_refuses(site: DeployedProject) -> None:
    async def launched() -> list[Event]:
        async with site.fleet() as fleet:
            job = Job(fleet, fleet.nodes, cpu=True)
            async with aclosing(run_steps(job, commands.launch(RunDryRun()))) as events:
                return [event async for event in events]

    def errors(events: list[Event]) -> list[str]:
        return [str(event.text) for event in events if isinstance(event, Notice) and event.level == "error"]

    fine = await launched()
    assert errors(fine) == []
    assert isinstance(fine[-1], RunPreview)
    probed = [event.node for event in fine if isinstance(event, NodeProbed)]
    assert sorted(probed) == ["master", "node1", "node2"], "each node is asked once"
    checked = [(event.node, event.check) for event in fine if isinstance(event, CheckFinished)]
    assert len(checked) == len(set(checked))
    assert {("node1", "data"), ("node1", "environment"), ("node1", "ephemeral")} <= set(checked)

    (site.project("node2") / "data/train/input_text/3.txt").unlink()
    (found,) = errors(await launched())
    assert "1 of 3 nodes failed the environment checks, so nothing was started: node2" in found
    # Other code on a node is the more important reason, and --force accepts it.
    (site.project("node1") / "trainer/__main__.py").write_text("print('edited on the node')\n")
    (found,) = errors(await launched())
    assert "1 of 3 nodes do not have the master's files, so nothing was started: node1" in found


async def test_a_node_that_is_off_does_not_affect_the_others(site: DeployedProject) -> None:
    await site.lab.node("node1").stop()
    seen = await site.run_checks("reach", "ports", "machine")
    assert seen["node1", "reach"].status == "fail"
    assert seen["node1", "ssh"].status == "fail"
    assert seen["node1", "29500"].status == "skip"
    assert seen["node2", "winrm"].status == "ok"
    for node in ("master", "node2"):
        assert seen[node, "29500"].status == "ok"
        assert "not tested from node1" in seen[node, "29500"].seen
        assert seen[node, "ephemeral"].status == "ok"


async def test_several_nodes_of_one_machine_share_its_ports(tmp_path: Path, site: DeployedProject) -> None:
    """As nodes that own some GPUs each of one machine do: one address, one set of listeners."""
    master = replace(site.inventory.master, address="127.0.0.1")
    twins = tuple(replace(master, name=name, project=str(tmp_path / name)) for name in ("left", "right"))
    site.inventory = replace(site.inventory, master=master, workers=twins)
    seen = await site.run_checks("ports")
    assert {one.status for one in seen.values()} == {"ok"}, seen
