"""Launching on loopback nodes: all ranks start, or none stays."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.processes import identify
from agent.wire.operations import OPERATIONS
from fleet.errors import FleetError
from fleet.events import (
    Notice,
    RankExited,
    RankPhase,
    RankStarted,
)
from fleet.plan import plan_run
from fleet.runs import LaunchFailed, LaunchOptions, find_runs, launch, replay
from tests.runs.fleets import (
    collect,
    finish,
    fleet_of,
    inventory,
    of,
    output,
    plan_of,
    project,
    until,
    watched,
)
from tests.support import wire


async def test_when_one_node_cannot_start_none_stays(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "time.sleep(100)", master=1, gpu1=1, gpu2=1))
    blocked = project(fleet, "gpu2") / ".dtui"
    blocked.write_text("a file where a folder has to be")
    async with fleet:
        with pytest.raises(LaunchFailed, match="gpu2 failed to start its ranks"):
            await collect(launch(fleet, plan_of(fleet.inventory)))
        events = list(replay(fleet.home / "runs" / "run-1" / "events.jsonl"))
        for name in ("master", "gpu1"):
            node = fleet.inventory.node(name)
            answer = await (await fleet.link(node)).call(OPERATIONS["status"], {"project": node.project})
            assert [run["state"] for run in answer["runs"]] in ([], ["stopped"], ["failed"])
            pids = [rank["pid"] for run in answer["runs"] for rank in run["ranks"]]
            assert not any(map(identify, pids))
    assert [notice.node for notice in of(events, Notice) if notice.level == "error"] == ["gpu2"]
    assert finish(events).outcome == "failed"


@pytest.mark.parametrize(("limit", "delivered"), [(None, 1 << 30), (3 << 20, 3 << 20)])
async def test_the_limit_of_the_logs_reaches_every_node(
    tmp_path: Path, limit: int | None, delivered: int
) -> None:
    made = inventory(tmp_path, "", master=1, gpu1=1)
    async with fleet_of(replace(made, run=replace(made.run, log_limit=limit))) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await watched(fleet)
    for name in ("master", "gpu1"):
        file = project(fleet, name) / ".dtui" / "runs" / "run-1" / "spec.json"
        assert json.loads(file.read_text())["log_limit"] == delivered


async def test_when_one_node_is_out_of_reach_nothing_is_started(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "", master=1, gpu1=1))
    lost = fleet.inventory.workers[0]
    fleet.inventory = fleet.inventory.with_workers((replace(lost, python=str(tmp_path / "no-python")),))
    async with fleet:
        with pytest.raises(LaunchFailed, match="gpu1 failed to start its ranks: no usable Python"):
            await collect(launch(fleet, plan_of(fleet.inventory)))
    assert not (project(fleet, "master") / ".dtui" / "runs" / "run-1" / "spec.json").exists()


async def test_a_second_run_in_the_same_project_is_refused_unless_forced(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "time.sleep(100)", master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        with pytest.raises(LaunchFailed, match="run run-1 is under way"):
            await collect(launch(fleet, plan_of(fleet.inventory, "run-2")))
        await collect(launch(fleet, plan_of(fleet.inventory, "run-3"), LaunchOptions(force=True)))
        with pytest.raises(FleetError, match="run run-3 already exists"):
            await collect(launch(fleet, plan_of(fleet.inventory, "run-3")))


async def test_a_refused_launch_leaves_nothing_behind(tmp_path: Path) -> None:
    both = inventory(tmp_path, "time.sleep(100)", master=1, gpu1=1)
    fleet = fleet_of(both)
    async with fleet:
        await collect(
            launch(fleet, plan_run(both, {"gpu1": wire.facts()}, run_id="run-1", nodes=both.workers))
        )
        with pytest.raises(LaunchFailed, match="gpu1 failed to start its ranks: run run-1 is under way"):
            await collect(launch(fleet, plan_of(both, "run-2")))
        assert [run.run for run in find_runs(fleet.home)] == ["run-1"]
        for name in ("master", "gpu1"):
            assert not (project(fleet, name) / ".dtui" / "runs" / "run-2").exists()


async def test_a_launch_that_is_left_half_way_leaves_no_rank(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "time.sleep(100)", master=1, gpu1=1))
    async with fleet:
        task = asyncio.create_task(collect(launch(fleet, plan_of(fleet.inventory))))
        folder = project(fleet, "gpu1") / ".dtui" / "runs" / "run-1"
        await until((folder / "status.json").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for node in fleet.nodes:
            link = await fleet.link(node)
            async with asyncio.timeout(120):
                answer = await link.call(OPERATIONS["status"], {"project": node.project})
            assert all(run["state"] in ("stopped", "failed") for run in answer["runs"])
            assert not [rank for run in answer["runs"] for rank in run["ranks"] if identify(rank["pid"])]


async def test_a_launcher_stands_for_all_the_ranks_that_it_starts(tmp_path: Path) -> None:
    """As `method: accelerate` does: one process a node, each rank with metrics of its own."""
    program = """
say("launcher")
for RANK in range(int(os.environ["FIRST"]), int(os.environ["FIRST"]) + 2):
    note(kind="phase", phase="joined")
# The failure ends everybody, so it waits until the others have said where they are.
if RANK == 3:
    wait_for("../master/noted")
    sys.exit(3)
(HERE / "noted").touch()
"""
    fleet = fleet_of(inventory(tmp_path, program, master=2, gpu1=2))
    plan = plan_of(fleet.inventory)
    parts = tuple(
        replace(
            part,
            processes=(
                replace(part.processes[0], ranks=2, env={"RANK": "0", "FIRST": str(part.first_rank)}),
            ),
        )
        for part in plan.nodes
    )
    async with fleet:
        launched = await collect(launch(fleet, replace(plan, nodes=parts)))
        events = await watched(fleet)
    started = of(launched, RankStarted)
    assert [event.rank for event in started] == [0, 1, 2, 3]
    assert len({event.pid for event in started}) == 2
    assert {event.rank for event in of(events, RankPhase)} == {0, 1, 2, 3}
    assert sorted((event.rank, event.code) for event in of(events, RankExited) if event.node == "gpu1") == [
        (2, 3),
        (3, 3),
    ]
    assert output(events, 2) == b"launcher\n"
    assert finish(events).outcome == "failed"
