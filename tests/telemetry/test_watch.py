"""Telemetry of a fleet, through real links that break."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fleet.events import LinkChanged, RankPlan, RankStarted, RunPlanned, TelemetrySampled
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, default_master
from fleet.telemetry import RunTelemetry, read_history, read_tallies, record_telemetry, recorded_nodes, watch
from tests.telemetry.conftest import FakeNvidiaSmi


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    worker = Node(name="gpu1", address="127.0.0.1", transport="local", project=str(tmp_path))
    return Inventory(project=tmp_path, master=default_master(tmp_path, "127.0.0.1"), workers=(worker,))


async def test_every_node_is_sampled(inventory: Inventory, tmp_path: Path) -> None:
    async with Fleet(inventory, home=tmp_path / ".dtui", clock=lambda: 42.0) as fleet:
        events = [event async for event in watch(fleet, interval=0.1, count=3)]
    assert sorted(event.node for event in events) == ["gpu1"] * 3 + ["master"] * 3
    assert all(isinstance(event, TelemetrySampled) and event.at == 42.0 for event in events)


async def test_a_lost_node_is_told_and_comes_back_while_the_other_goes_on(
    inventory: Inventory, tmp_path: Path
) -> None:
    async with Fleet(inventory, home=tmp_path / ".dtui") as fleet:
        seen: list[str] = []
        others = 0
        async for event in watch(fleet, interval=0.1):
            if event.node == "master":
                others += isinstance(event, TelemetrySampled)
                assert not isinstance(event, LinkChanged)
                continue
            word = event.state if isinstance(event, LinkChanged) else "sample"
            if not seen:
                link = await fleet.link(inventory.node("gpu1"))
                os.kill(link.hello.pid, signal.SIGKILL)
            elif word == "lost":
                others = 0
            if not seen or seen[-1] != word:
                seen.append(word)
            if seen == ["sample", "lost", "up", "sample"]:
                break
    assert others >= 2


async def test_a_node_that_can_not_be_used_is_given_up(inventory: Inventory, tmp_path: Path) -> None:
    broken = Node(name="gpu2", address="127.0.0.1", transport="local", project=".", python="/no/such/python")
    async with Fleet(inventory, home=tmp_path / ".dtui") as fleet:
        events = [event async for event in watch(fleet, [broken], interval=0.1)]
    (event,) = events
    assert isinstance(event, LinkChanged)
    assert (event.state, event.node) == ("failed", "gpu2")
    assert event.remedy


async def test_the_load_of_a_run_is_kept_while_it_is_watched(inventory: Inventory, tmp_path: Path) -> None:
    run = tmp_path / ".dtui" / "runs" / "r"
    async with (
        Fleet(inventory, home=tmp_path / ".dtui") as fleet,
        record_telemetry(fleet, inventory.nodes, RunTelemetry(run), interval=0.1),
    ):
        async for event in watch(fleet, [inventory.master], interval=0.1, count=6):
            assert isinstance(event, TelemetrySampled)
    assert recorded_nodes(run) == ("gpu1", "master")
    history = read_history(run, "gpu1")
    assert len(history.times) >= 2
    assert history.series["ram.total"][-1]


async def test_what_the_runs_processes_used_is_added_up_and_taken_up_again(
    inventory: Inventory, nvidia_smi: FakeNvidiaSmi, tmp_path: Path
) -> None:
    nvidia_smi(2)
    folder = tmp_path / ".dtui" / "runs" / "r"
    joules = before = 0.0
    for _ in range(2):  # a console, and the next one
        telemetry = RunTelemetry(folder)
        telemetry.add(
            RunPlanned(
                run="r",
                world_size=1,
                master_address="127.0.0.1",
                master_port=29500,
                ranks=(RankPlan(node="master", rank=0, local_rank=0),),
            )
        )
        telemetry.add(RankStarted(run="r", rank=0, node="master", pid=4711))
        async with (
            Fleet(inventory, home=tmp_path / ".dtui") as fleet,
            record_telemetry(fleet, inventory.nodes, telemetry, interval=0.1),
        ):
            async for _ in watch(fleet, [inventory.master], interval=0.1):
                tally = telemetry.tallies.get("master")
                if tally is not None and tally.known > before and tally.energy.joules > joules:
                    break
        kept = read_tallies(folder)
        assert set(kept) == {"master"}, "nothing of the run is on the other node"
        # GPU 1 of the two has the process, at ten per cent; the power is of both.
        assert kept["master"].training == pytest.approx(10.0)
        assert kept["master"].energy.joules > joules
        joules, before = kept["master"].energy.joules, kept["master"].known


async def test_a_full_disk_costs_the_history_and_not_the_run(inventory: Inventory, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text("a file where the folder should be: nothing can be written below it")
    async with (
        Fleet(inventory, home=tmp_path / ".dtui") as fleet,
        record_telemetry(fleet, inventory.nodes, RunTelemetry(run), interval=0.1),
    ):
        events = [event async for event in watch(fleet, interval=0.1, count=3)]
    assert len(events) == 6
