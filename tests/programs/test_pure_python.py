"""A program of the standard library alone, over SSH and WinRM, on Linux nodes and on Windows ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet import commands
from fleet.deploy import DeployOptions
from fleet.events import CheckFinished, Event, LogChunk, NodeDeployed, Notice, RankExited, RunFinished
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.runs.steps import RunToEnd
from fleet.steps import Job, run_steps
from lab.lab import Lab
from lab.wine.machine import WindowsMachine
from tests.programs.site import AUTHORS
from tests.support.ports import free_port
from tests.wine.fleets import of

pytestmark = pytest.mark.timeout(1800)

NODES = ("node1", "node2")
WORDS = ("--lr", "3e-4", "a b", "한글", '{"c": "%PATH% $HOME"}', "--", "--lr", '\\"')


def write_project(folder: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/train.py": (AUTHORS / "package_train.py").read_text("utf-8"),
        "pkg/words.py": "def count(text):\n    return len(text.split())\n",
        "texts/평면도 1.txt": "방 셋\n거실 주방 현관\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


async def up(fleet: Fleet) -> list[Event]:
    steps = commands.up(RunToEnd(), DeployOptions(environment="existing"))
    job = Job(fleet, fleet.inventory.workers)
    return [event async for event in run_steps(job, steps)]


async def check(lab: Lab, folder: Path) -> None:
    """Run the program twice: what the first run wrote is no code for the second."""
    project = folder / "floor-plans"
    write_project(project)
    lab.trust(project / ".dtui" / "known_hosts")
    run = RunSettings(module="pkg.train", script=None, config=None, args=WORDS, port=free_port())
    async with Fleet(lab.inventory(project, run=run), home=project / ".dtui", prompts=lab.prompts) as fleet:
        for _ in range(2):
            events = await up(fleet)
            failed = [event for event in of(events, CheckFinished) if event.status == "fail"]
            assert failed + [event for event in of(events, Notice) if event.level == "error"] == []
            (end,) = of(events, RunFinished)
            assert end.outcome == "succeeded", end.cause
            assert sorted((event.rank, event.code) for event in of(events, RankExited)) == [(0, 0), (1, 0)]
            printed = b"".join(chunk.data for chunk in of(events, LogChunk))
            assert printed.decode("utf-8").split() == ["단어", "5"] * 2
            fleet.inventory = replace(fleet.inventory, run=replace(run, port=free_port()))
        assert [event.files_sent for event in of(events, NodeDeployed)] == [0, 0]
        for rank, name in enumerate(NODES):
            node = fleet.inventory.node(name)
            place = lab.node(name).home.folder / node.project.removeprefix("~/")
            made = [path.relative_to(place).as_posix() for path in place.rglob("result-*")]
            assert made == [f"trained/result-{rank}.json"]
            result = json.loads((place / made[0]).read_text("utf-8"))
            assert (result["node"], result["world"], result["lr"]) == (name, 2, 3e-4)
            # The second `--` is the program's own, as under python itself.
            assert result["names"] == ["a b", "한글", '{"c": "%PATH% $HOME"}', "--lr", '\\"']
            assert result["counts"] == [2, 3]
            assert result["cwd"].replace("\\", "/").endswith(place.as_posix().rpartition("/")[2])
            assert result["utf8"] in (1, "utf-8")


@pytest.fixture
async def linux(tmp_path: Path) -> AsyncIterator[Lab]:
    async with Lab(2, winrm=1, root=tmp_path / "lab") as lab:
        yield lab


async def test_over_ssh_and_winrm(linux: Lab, tmp_path: Path) -> None:
    await check(linux, tmp_path)


@pytest.mark.full
@pytest.mark.wine
async def test_on_windows_over_ssh_and_winrm(machine: WindowsMachine, tmp_path: Path) -> None:
    async with Lab(2, winrm=1, windows=machine) as lab:
        await check(lab, tmp_path)
