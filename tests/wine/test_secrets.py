"""Secrets on Windows nodes: a named pipe takes them to the supervisor, over SSH and over WinRM."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace

from fleet.events import LogChunk, RunFinished
from fleet.plan import plan_run
from fleet.runs import LaunchOptions, WatchOptions, launch, watch
from fleet.secrets import Secret
from lab.wine.machine import WindowsMachine
from tests.wine.fleets import NODES, Site, collect, of, site

pytestmark = [pytest.mark.wine, pytest.mark.timeout(150), pytest.mark.asyncio(loop_scope="module")]

VALUE = "hunter2-4f9c 비밀"
PROGRAM = """
import hashlib, os
print(hashlib.sha256(os.environ["WANDB_API_KEY"].encode()).hexdigest(), flush=True)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(machine: WindowsMachine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(machine, tmp_path_factory.mktemp("secrets")) as made:
        yield made


async def test_the_ranks_have_the_value_and_no_file_does(place: Site) -> None:
    import hashlib

    for node in NODES:
        place.write({"secret.py": PROGRAM}, place.project(node))
    run = replace(place.inventory.run, script="secret.py", secrets=("WANDB_API_KEY",))
    inventory = replace(place.inventory, run=run)
    place.fleet.inventory = inventory
    facts = await place.facts()
    plan = plan_run(inventory, facts, run_id="secret", nodes=[inventory.node(name) for name in NODES])
    await collect(launch(place.fleet, plan, LaunchOptions(secrets={"WANDB_API_KEY": Secret(VALUE)})))
    events = await collect(watch(place.fleet, "secret", WatchOptions(retry_first=0.05, retry_most=0.5)))
    assert of(events, RunFinished)[-1].outcome == "succeeded"
    expected = hashlib.sha256(VALUE.encode()).hexdigest().encode()
    said = {chunk.rank: chunk.data.strip() for chunk in of(events, LogChunk)}
    assert said == {0: expected, 1: expected}
    for node in NODES:
        folder = place.project(node) / ".dtui" / "runs" / "secret"
        reference = json.loads((folder / "spec.json").read_bytes())["secrets"]
        assert reference["address"].startswith("\\\\.\\pipe\\dtui-")
        assert not [path for path in folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
