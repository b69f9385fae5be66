"""Nodes that share the project's folder: an NFS home, or two nodes of one machine with the same path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions, deploy
from fleet.events import LogChunk, NodeDeployed, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.inventory.model import DataSettings
from fleet.plan.processes import accelerate_config_file
from fleet.runs import find_runs, launch, run_to_end, stop, watch
from fleet.runs.prune import prune, survey
from fleet.runs.read import read_logs
from fleet.runs.stacks import run_stacks
from fleet.runs.status import node_runs, sweep
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON, tree
from tests.runs.fleets import DEADLINE, PRELUDE, SWIFT, collect, finish, of, output, plan_of, until

PROGRAM = PRELUDE + "say('rank', RANK); (HERE / f'up{RANK}').touch(); wait_for(f'go{RANK}', 100); say('end')"


class Shared:
    """A master and two SSH nodes; ``everywhere``: the nodes' folder is also the master's."""

    def __init__(self, lab: Lab, tmp_path: Path, *, everywhere: bool) -> None:
        self.lab = lab
        self.project = tmp_path / "project"
        self.project.mkdir()
        (self.project / "program.py").write_text(PROGRAM)
        self.folder = self.project if everywhere else tmp_path / "shared"
        run = RunSettings(module=None, script="program.py")
        inventory = lab.inventory(self.project, run=run, python=BASE_PYTHON)
        workers = tuple(replace(node, project=str(self.folder)) for node in inventory.workers)
        self.inventory = inventory.with_workers(workers)
        lab.trust(self.project / ".dtui" / "known_hosts")

    def fleet(self) -> Fleet:
        return Fleet(self.inventory, home=self.project / ".dtui", prompts=self.lab.prompts)

    def let_go(self, *ranks: int) -> None:
        for rank in ranks:
            for folder in {self.folder, self.project}:
                (folder / f"go{rank}").touch()


@pytest.fixture(params=[False, True], ids=["workers", "everywhere"])
async def shared(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Shared]:
    async with Lab(2, root=tmp_path / "lab") as lab:
        yield Shared(lab, tmp_path, everywhere=request.param)


async def test_runs_start_are_followed_stopped_and_deleted_on_each_node(shared: Shared) -> None:
    async with shared.fleet() as fleet:
        deployed = await collect(deploy(fleet, fleet.nodes, DeployOptions()))
        assert all(event.ok for event in of(deployed, NodeDeployed))
        shared.let_go(0, 1, 2)
        events = await collect(run_to_end(fleet, plan_of(fleet.inventory)))
        assert finish(events).outcome == "succeeded", finish(events)
        for rank in range(3):
            assert output(events, rank) == f"rank {rank}\nend\n".encode()
        read = [event async for event in read_logs(fleet, "run-1")]
        assert {chunk.rank: chunk.data for chunk in of(read, LogChunk)} == {
            rank: f"rank {rank}\nend\n".encode() for rank in range(3)
        }
        for rank in range(3):
            for folder in (shared.folder, shared.project):
                (folder / f"go{rank}").unlink(missing_ok=True)
                (folder / f"up{rank}").unlink(missing_ok=True)

        # The second run goes on while it is looked at, and is then stopped.
        await collect(launch(fleet, plan_of(fleet.inventory, "run-2")))
        folders = (shared.folder, shared.project)
        await until(lambda: len({file.name for folder in folders for file in folder.glob("up?")}) == 3)
        seen = {found.node: [(one["run"], one["node"], one["state"]) for one in found.runs]
                for found in await node_runs(fleet)}  # fmt: skip
        assert seen == {
            name: [("run-1", name, "succeeded"), ("run-2", name, "running")]
            for name in ("master", "node1", "node2")
        }
        stacks = await run_stacks(fleet, plan_of(fleet.inventory, "run-2"))
        assert [[one["rank"] for one in found.ranks] for found in stacks] == [[0], [1], [2]]
        assert [found.orphans for found in await sweep(fleet)] == [(), (), ()]
        assert {refused.run for refused in (await survey(fleet, find_runs(fleet.home))).refused} == {"run-2"}

        done = await prune(fleet, [find_runs(fleet.home)[0]])
        assert (done.removed, done.kept) == (("run-1",), ())
        assert not (shared.folder / ".dtui/runs/run-1").exists()
        assert [[one["run"] for one in found.runs] for found in await node_runs(fleet)] == [["run-2"]] * 3

        async def end() -> None:
            await asyncio.sleep(0)
            await collect(stop(fleet, "run-2", grace=0))

        async with asyncio.timeout(DEADLINE):
            _, watched = await asyncio.gather(end(), collect(watch(fleet, "run-2", SWIFT)))
        assert finish(watched).outcome == "stopped"
        done = await prune(fleet, find_runs(fleet.home))
        assert (done.removed, done.kept) == (("run-2",), ())
        assert not (shared.folder / ".dtui/runs/run-2").exists()


async def test_the_code_is_copied_once_and_the_second_node_says_whose_folder_it_is(tmp_path: Path) -> None:
    async with Lab(2, root=tmp_path / "lab") as lab:
        shared = Shared(lab, tmp_path, everywhere=False)
        (shared.project / "sets").mkdir()
        (shared.project / "sets/a.bin").write_bytes(bytes(500_000))
        data = DataSettings(root="sets", sync="mirror")
        shared.inventory = replace(shared.inventory, data=data)
        configure = DeployOptions(configure=lambda node: {accelerate_config_file(node.name): node.name})
        async with shared.fleet() as fleet:
            events = await collect(deploy(fleet, fleet.inventory.workers, configure))
        ends = of(events, NodeDeployed)
        assert all(event.ok for event in ends), ends
        size = len(PROGRAM.encode())
        assert sum(event.bytes_sent for event in ends) == size + 500_000
        stages = of(events, StageChanged)
        waits = [event for event in stages if event.state == "done" and "shares" in event.detail]
        # The data is there already when the second node comes to it late.
        assert {"compare"} <= {event.stage for event in waits} <= {"compare", "data"}
        assert all(event.detail.startswith("shares the folder of node") for event in waits)
        assert {*tree(shared.folder)} == {"program.py", "sets/a.bin"}
        for node in ("node1", "node2"):
            assert (shared.folder / accelerate_config_file(node)).read_text() == node


async def test_a_folder_of_an_older_version_is_read(tmp_path: Path) -> None:
    async with Lab(2, root=tmp_path / "lab") as lab:
        shared = Shared(lab, tmp_path, everywhere=False)
        old = shared.folder / ".dtui/runs/run-0"
        old.mkdir(parents=True)
        status = {
            "version": 1, "run": "run-0", "node": "node1", "state": "succeeded",
            "error": {"id": "", "text": "", "args": {}}, "supervisor": None, "ranks": [], "at": 1.0,
        }  # fmt: skip
        (old / "status.json").write_text(json.dumps(status))
        async with shared.fleet() as fleet:
            found = {one.node: [run["run"] for run in one.runs] for one in await node_runs(fleet)}
        assert found == {"master": [], "node1": ["run-0"], "node2": []}
