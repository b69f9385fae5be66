"""Real Windows torch trains under Wine: from a Linux master onto two Windows nodes, through dtui alone."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fleet.deploy import DeployOptions
from fleet.events import Event, MetricsSeen, NodeDeployed, Notice, RankExited, RunFinished
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.up import UpOptions, up
from lab.lab import Lab
from lab.wine.machine import WindowsMachine
from tests.wine.fleets import of

pytestmark = [
    pytest.mark.wine,
    pytest.mark.torch,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

ROOT = Path(__file__).parent.parent.parent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(machine: WindowsMachine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """Two Windows nodes with torch, one by SSH and one by WinRM, and the trainer as the project."""
    project = tmp_path_factory.mktemp("torch") / "project"
    shutil.copytree(ROOT / "trainer", project / "trainer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "configs", project / "configs", ignore=shutil.ignore_patterns("__pycache__"))
    interpreter = machine.python_with_torch()
    async with Lab(2, winrm=1, windows=machine) as lab:
        lab.trust(project / ".dtui" / "known_hosts")
        arguments = ("--set", "training.max_steps=20", "--set", "training.save_every=10")
        run = RunSettings(port=free_port(), args=(*arguments, "--set", "training.log_every=2"))
        plain = lab.inventory(project, run=run)
        workers = tuple(
            dataclasses.replace(node, interpreter=interpreter, processes=1) for node in plain.workers
        )
        inventory = dataclasses.replace(plain, workers=workers)
        async with Fleet(inventory, home=project / ".dtui", prompts=lab.prompts) as opened:
            yield opened


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def go(fleet: Fleet) -> list[Event]:
    options = UpOptions(deploying=DeployOptions(environment="existing"), cpu=True)
    return [event async for event in up(fleet, fleet.inventory.workers, options)]


async def test_two_windows_nodes_train_one_model(fleet: Fleet) -> None:
    events = await go(fleet)
    troubles = [event for event in of(events, Notice) if event.level == "error"]
    assert not troubles
    assert [end.ok for end in of(events, NodeDeployed)] == [True, True]
    (end,) = of(events, RunFinished)
    assert end.outcome == "succeeded", end.cause
    assert sorted((event.rank, event.code) for event in of(events, RankExited)) == [(0, 0), (1, 0)]
    losses = [
        event.record["loss"]
        for event in of(events, MetricsSeen)
        if event.record.get("kind") == "step" and event.rank == 0
    ]
    assert losses[-1] < losses[0]
    print(json.dumps(losses))
