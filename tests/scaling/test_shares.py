"""Nodes that share one machine's GPUs: over real SSH, beside a recorded ``nvidia-smi``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from fleet.accelerate_config import accelerate_config
from fleet.events import Event, NodeProbed, TelemetrySampled
from fleet.fleet import Fleet
from fleet.inventory import Inventory, RunSettings
from fleet.plan import PlanError, plan_run
from fleet.runs import run_to_end
from fleet.state import FleetState
from fleet.telemetry import watch
from lab.lab import Lab
from tests.runs.fleets import PRELUDE, collect, of, output
from tests.support import nvidia_smi

RECORDED = Path(__file__).parents[1] / "facts" / "recorded" / "smi_eight.json"
TOLD = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "RANK", "WORLD_SIZE")
PROGRAM = f"say(json.dumps({{name: os.environ.get(name) for name in {TOLD}}}))"


@dataclass
class Shared:
    """A lab on a machine of eight GPUs."""

    lab: Lab
    folder: Path

    def inventory(self, *shares: tuple[int, ...]) -> Inventory:
        run = RunSettings(module=None, script="program.py", config=None)
        return self.lab.inventory(self.folder / "project", run=run, gpus=[(), *shares])

    def fleet(self, *shares: tuple[int, ...]) -> Fleet:
        inventory = self.inventory(*shares)
        for node in self.lab.nodes:
            project = node.home.folder / inventory.workers[0].project.removeprefix("~/")
            project.mkdir(parents=True)
            (project / "program.py").write_text(PRELUDE + PROGRAM, encoding="utf-8")
        self.lab.trust(inventory.project / ".dtui" / "known_hosts")
        return Fleet(inventory, home=inventory.project / ".dtui")


@pytest.fixture
async def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shared]:
    program = nvidia_smi.install(tmp_path / "bin", json.loads(RECORDED.read_text("utf-8"))["output"])
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    async with Lab(2, root=tmp_path / "lab") as lab:
        yield Shared(lab, tmp_path)


def gpus_of(told: dict[str, Any]) -> list[int]:
    return [gpu["index"] for gpu in told["gpus"]]


def drawn(state: FleetState) -> dict[str, list[int]]:
    """What the console shows of each node."""
    return {name: [gpu["index"] for gpu in node.gpus] for name, node in state.nodes.items()}


async def told_by(events: AsyncIterator[Event], ranks: int) -> dict[int, dict[str, str]]:
    """What each rank printed of its environment."""
    seen = await collect(events)
    return {rank: json.loads(output(seen, rank)) for rank in range(ranks)}


async def facts_of(fleet: Fleet) -> tuple[FleetState, dict[str, dict[str, Any]]]:
    state, facts = FleetState(), {}
    for event in await collect(fleet.connect(fleet.inventory.workers)):
        state = state.after(event)
        if isinstance(event, NodeProbed):
            facts[event.node] = event.facts
    return state, facts


async def test_each_node_trains_on_its_gpus_and_shows_no_other(shared: Shared) -> None:
    async with shared.fleet((0, 1), (5,)) as fleet:
        nodes = fleet.inventory.workers
        state, facts = await facts_of(fleet)
        assert {name: gpus_of(told) for name, told in facts.items()} == {"node1": [0, 1], "node2": [5]}
        assert drawn(state) == {"node1": [0, 1], "node2": [5]}

        plan = plan_run(fleet.inventory, facts, run_id="run-1", nodes=nodes)
        assert yaml.safe_load(accelerate_config(plan, "node1"))["gpu_ids"] == "0,1"
        assert yaml.safe_load(accelerate_config(plan, "node2"))["gpu_ids"] == "5"
        ranks = await told_by(run_to_end(fleet, plan), 3)
        assert [
            (each["RANK"], each["LOCAL_RANK"], each["LOCAL_WORLD_SIZE"], each["WORLD_SIZE"])
            for each in ranks.values()
        ] == [("0", "0", "2", "3"), ("1", "1", "2", "3"), ("2", "0", "1", "3")]
        assert [each["CUDA_VISIBLE_DEVICES"] for each in ranks.values()] == ["0,1", "0,1", "5"]
        assert {each["CUDA_DEVICE_ORDER"] for each in ranks.values()} == {"PCI_BUS_ID"}

        samples = of(await collect(watch(fleet, nodes, interval=0.1, count=1)), TelemetrySampled)
        assert {event.node: gpus_of(event.sample) for event in samples} == {"node1": [0, 1], "node2": [5]}
        assert {event.node: [gpu["util"] for gpu in event.sample["gpus"]] for event in samples} == {
            "node1": [90, 91],
            "node2": [95],
        }
        assert drawn(state.after_all(samples)) == {"node1": [0, 1], "node2": [5]}


async def test_a_gpu_that_is_not_there_is_named_with_those_that_are(shared: Shared) -> None:
    async with shared.fleet((0,), (8,)) as fleet:
        _, facts = await facts_of(fleet)
        with pytest.raises(PlanError) as caught:
            plan_run(fleet.inventory, facts, run_id="run-1", nodes=fleet.inventory.workers)
    assert "GPU 8 was not found; available: 0, 1, 2, 3, 4, 5, 6, 7" in str(caught.value)


async def test_a_node_without_gpus_of_its_own_shows_none(shared: Shared) -> None:
    async with shared.fleet((0,), (1,)) as fleet:
        idle = replace(fleet.inventory.workers[1], gpus=0)
        facts = [event.facts for event in of(await collect(fleet.connect([idle])), NodeProbed)]
    assert [(gpus_of(told), told["gpus_of_others"]) for told in facts] == [([], list(range(8)))]


async def test_a_list_of_another_length_is_refused(shared: Shared) -> None:
    with pytest.raises(ValueError, match="shorter"):
        shared.inventory((0,))
