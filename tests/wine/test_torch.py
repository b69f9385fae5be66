"""Real Windows torch trains under Wine: from a Linux master onto two Windows nodes, through dtui alone."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from agent.wire.operations import OPERATIONS
from fleet import commands
from fleet.deploy import DeployOptions
from fleet.events import CheckFinished, Event, MetricsSeen, NodeDeployed, Notice, RankExited, RunFinished
from fleet.facts import own_part
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.plan.processes import STORE_SHIM
from fleet.runs import LaunchOptions, WatchOptions, run_to_end
from fleet.runs.steps import RunToEnd
from fleet.steps import Job, run_steps
from lab.lab import Lab
from lab.wine.machine import WindowsMachine
from tests.support.ports import free_port
from tests.wine.fleets import of
from trainer.dataset.synthetic import write_pairs

pytestmark = [
    pytest.mark.wine,
    pytest.mark.torch,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

ROOT = Path(__file__).parent.parent.parent


#: A short run; its data is made here, for pictures take long under Wine.
SHORT = {"training.max_steps": 8, "training.save_every": 8, "training.log_every": 1, "sampling.steps": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(machine: WindowsMachine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Two Windows nodes with torch, one by SSH and one by WinRM, and the trainer as the project."""
    project = tmp_path_factory.mktemp("torch") / "floor-plans"
    for folder in ("trainer", "configs"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    write_pairs(project / "data", 32, 32, 0)
    interpreter = machine.python_with_torch()
    async with Lab(2, winrm=1, windows=machine) as lab:
        lab.trust(project / ".dtui" / "known_hosts")
        plain = lab.inventory(project)
        workers = tuple(replace(node, interpreter=interpreter, processes=1) for node in plain.workers)
        inventory = replace(plain, workers=workers)
        async with Fleet(inventory, home=project / ".dtui", prompts=lab.prompts) as opened:
            yield opened


def settle(fleet: Fleet, **run: Any) -> None:
    """Set how the next run goes, with a rendezvous port of its own."""
    arguments = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    settings = RunSettings(port=free_port(), args=(*arguments, "--resume", "none"), **run)
    fleet.inventory = replace(fleet.inventory, run=settings)


async def go(fleet: Fleet) -> list[Event]:
    steps = commands.up(RunToEnd(), DeployOptions(environment="existing"))
    job = Job(fleet, fleet.inventory.workers, cpu=True)
    return [event async for event in run_steps(job, steps)]


def complaints(events: list[Event]) -> str:
    """What went wrong by the command's own account."""
    failed = [event for event in of(events, CheckFinished) if event.status == "fail"]
    errors = [event for event in of(events, Notice) if event.level == "error"]
    return "\n".join(map(repr, (*failed, *errors)))


def check_trained(events: list[Event]) -> None:
    assert [event for event in of(events, Notice) if event.level == "error"] == []
    (end,) = of(events, RunFinished)
    assert end.outcome == "succeeded", end.cause
    assert sorted((event.rank, event.code) for event in of(events, RankExited)) == [(0, 0), (1, 0)]
    losses = [
        event.record.loss
        for event in of(events, MetricsSeen)
        if event.record.kind == "step" and event.rank == 0 and event.record.loss is not None
    ]
    assert losses[-1] < losses[0]


async def test_two_windows_nodes_train_one_model(fleet: Fleet) -> None:
    settle(fleet)
    events = await go(fleet)
    assert [end.ok for end in of(events, NodeDeployed)] == [True, True], complaints(events)
    check_trained(events)
    records = [event.record for event in of(events, MetricsSeen) if event.record.kind == "phase"]
    joined = [record for record in records if record.phase == "joined"]
    assert [record.numbers["world_size"] for record in joined] == [2, 2]


@pytest.mark.full
async def test_accelerate_launch_trains_with_the_shim(fleet: Fleet) -> None:
    settle(fleet, method="accelerate")
    check_trained(await go(fleet))


@pytest.mark.full
async def test_plain_accelerate_launch_fails_and_the_reason_is_named(fleet: Fleet) -> None:
    settle(fleet, method="accelerate")
    workers = fleet.inventory.workers
    deploy = commands.deploy(DeployOptions(environment="existing"))
    events = [event async for event in run_steps(Job(fleet, workers, cpu=True), deploy)]
    assert [end.ok for end in of(events, NodeDeployed)] == [True, True], complaints(events)
    facts = {
        node.name: own_part(
            node,
            await (await fleet.link(node)).call(OPERATIONS["probe"], {"project": "", "master_address": ""}),
        )
        for node in workers
    }
    job = Job(fleet, workers, cpu=True)
    job.facts.update(facts)
    plain = tuple(
        replace(
            part,
            processes=tuple(
                replace(process, argv=tuple(word for word in process.argv if word != STORE_SHIM))
                for process in part.processes
            ),
        )
        for part in job.plan.nodes
    )
    run = run_to_end(fleet, replace(job.plan, nodes=plain), LaunchOptions(), WatchOptions())
    (end,) = of([event async for event in run], RunFinished)
    assert end.outcome == "failed"
    assert "libuv" in end.cause
