"""The forecast: its arithmetic, where its numbers come from, and a real two-node run on a shaped link."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fleet.event_json import to_json
from fleet.events import LogChunk, MetricsSeen, PairProbed
from fleet.forecast import METHODS, Link, Workload, WorkloadUnknown, find_workload, forecast, ring_links
from fleet.forecast.links import links_of
from fleet.forecast.workload import computing
from fleet.plan import plan_run
from fleet.preflight import PreflightOptions, preflight
from fleet.runs import RunStore
from tests.plan.fleets import facts, inventory
from tests.support import wire
from tests.support.namespaces import network

FP32, FP16, LOW = METHODS
GIGABIT = Link("a", "b", 118e6, 0.3e-3)
S16 = Workload(168_000_000, 0.35)


def two(workload: Workload, method: Any, link: Link = GIGABIT) -> float:
    return forecast(workload, method, gpus=2, nodes=2, ring=[link, link]).step_seconds


def test_one_gpu_needs_no_communication() -> None:
    alone = forecast(S16, FP32, gpus=1, nodes=1, ring=[])
    assert (alone.step_seconds, alone.efficiency, alone.speed_up) == (0.35, 1.0, 1.0)


def test_fewer_bytes_are_faster_and_rare_exchange_the_fastest() -> None:
    assert two(S16, FP32) > two(S16, FP16) > two(S16, LOW) > S16.compute_seconds


def test_a_link_without_end_hides_everything_but_the_last_bucket() -> None:
    wide = Link("a", "b", 100e9, 0.0)
    assert two(S16, FP32, wide) < S16.compute_seconds * 1.1


def test_a_ring_costs_nearly_the_same_for_more_nodes() -> None:
    few = forecast(S16, FP32, gpus=8, nodes=2, ring=[GIGABIT] * 2)
    many = forecast(S16, FP32, gpus=32, nodes=8, ring=[GIGABIT] * 8)
    assert few.step_seconds < many.step_seconds < few.step_seconds * 1.25


def test_the_slowest_link_of_the_ring_decides() -> None:
    rates = {("a", "b"): 118e6, ("b", "c"): 10e6, ("c", "a"): 118e6, ("a", "c"): 1e6}
    links = {pair: Link(*pair, rate, 0.3e-3) for pair, rate in rates.items()}
    ring = ring_links(["a", "b", "c"], links)
    assert [(link.source, link.target) for link in ring] == [("a", "b"), ("b", "c"), ("c", "a")]
    found = forecast(S16, FP32, gpus=3, nodes=3, ring=ring)
    assert found.step_seconds > 4 / 3 * S16.gradient_bytes / 10e6 * 0.9


def test_the_known_gigabit_run_is_predicted() -> None:
    """33.6M parameters, two nodes at 1 Gbit/s: 1.28-1.36 s a step in fp32, 0.80 in fp16 (measured before)."""
    known = Workload(33_600_000 * 4, 0.16)
    assert two(known, FP32) == pytest.approx(1.32, rel=0.2)
    assert two(known, FP16) == pytest.approx(0.80, rel=0.2)


@pytest.mark.parametrize(
    ("parameters", "alone", "backend", "link", "method", "together"),
    [
        # docs/scaling.md: two H100 of one host, 64 pairs a rank, pairs a second; eager first, then compiled.
        (42.4e6, 649.9, "nccl", 3.0e9, FP32, 1170.9),
        (42.4e6, 649.9, "nccl", 3.0e9, FP16, 1129.3),
        (42.4e6, 649.9, "gloo", 3.0e9, FP32, 596.4),
        (42.4e6, 649.9, "gloo", 3.0e9, FP16, 700.5),
        (157.6e6, 654.5, "nccl", 3.0e9, FP32, 1070.2),
        (157.6e6, 654.5, "nccl", 3.0e9, FP16, 1063.3),
        (42.4e6, 2440.1, "nccl", 5.5e9, FP32, 4363.3),
        (42.4e6, 2440.1, "nccl", 5.5e9, FP16, 3978.1),
        (42.4e6, 2440.1, "gloo", 5.5e9, FP32, 1400.9),
        (42.4e6, 2440.1, "gloo", 5.5e9, FP16, 1647.3),
    ],
)
def test_the_known_runs_of_two_gpus_are_predicted(
    parameters: float, alone: float, backend: str, link: float, method: Any, together: float
) -> None:
    ring = [Link("a", "b", link, 0.12e-3)] * 2 if backend == "gloo" else []
    workload = Workload(int(parameters * 4), 64 / alone)
    found = forecast(workload, method, gpus=2, nodes=2, ring=ring, backend=backend)
    assert 128 / found.step_seconds == pytest.approx(together, rel=0.15)


def test_what_a_node_received_is_the_rate_of_the_peer_s_link() -> None:
    links = links_of([PairProbed(node="a", peer="b", latency_ms=0.5, bytes_per_second=1e8)])
    assert links == {("b", "a"): Link("b", "a", 1e8, 0.0005)}


@pytest.mark.parametrize(("comm", "alone"), [(None, 1.0), (0.0, 1.0), (0.8, 0.4), (0.999, 0.05), (0.2, 1.0)])
def test_computing_is_what_remains_of_a_step(comm: float | None, alone: float) -> None:
    assert computing(wire.record(step_time=1.0, comm_time=comm)) == pytest.approx(alone)
    assert computing(wire.record(loss=3)) is None


def test_the_newest_run_supplies_the_missing_numbers(tmp_path: Path) -> None:
    with pytest.raises(WorkloadUnknown) as caught:
        find_workload(tmp_path, parameters=1e6)
    assert "--step-seconds" in caught.value.what
    assert "--parameters" not in caught.value.what

    plan = plan_run(inventory(), {"master": facts("192.168.1.100")}, run_id="run-1")
    store = RunStore(tmp_path, plan.run)
    store.create(plan)
    events: list[Any] = [
        LogChunk(run=plan.run, rank=0, offset=0, data=b"Model S/16: 42.31M parameters; effective batch 48"),
        *(
            MetricsSeen(run=plan.run, rank=0, record=wire.record(kind="step", step_time=seconds))
            for seconds in (9.0, 5.0, 0.5, 0.4, 0.6)
        ),
    ]
    store.events_file.write_text("".join(to_json(event) + "\n" for event in events), "utf-8")
    found = find_workload(tmp_path)
    assert (found.gradient_bytes, found.compute_seconds) == (42_310_000 * 4, 0.5)
    assert plan.run in found.source
    assert find_workload(tmp_path, step_seconds=2.0).compute_seconds == 2.0


@pytest.mark.namespaces
@pytest.mark.torch
async def test_within_a_fifth_of_a_measured_run_on_a_shaped_link(tmp_path: Path) -> None:
    with network(tmp_path, "master", "gpu1") as net:
        for machine in net.machines.values():
            machine.shape("200mbit")
        async with net.fleet() as nodes:
            options = PreflightOptions(checks=("network",), measure_bytes=8 << 20, measure_seconds=0.5)
            links = [
                event
                async for event in preflight(nodes, nodes.nodes, options)
                if isinstance(event, PairProbed) and event.bytes_per_second
            ]
        script = str(Path(__file__).parents[1] / "support" / "ddp_step.py")
        ranks = []
        for rank, machine in enumerate(net.machines.values()):
            env = {
                "RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": net["master"].address, "MASTER_PORT": 29500,
                "GLOO_SOCKET_IFNAME": machine.device, "USE_LIBUV": 0,
            }  # fmt: skip
            words = [f"{name}={value}" for name, value in env.items()]
            ranks.append(machine.start("env", *words, sys.executable, script, "512", "8", "7", "fp32"))
        found = [json.loads(rank.communicate(timeout=90)[0]) for rank in ranks]
    workload = Workload(found[0]["parameters"] * 4, max(one["alone"] for one in found))
    ring = ring_links(["master", "gpu1"], links_of(links))
    assert len(ring) == 2
    expected = forecast(workload, FP32, gpus=2, nodes=2, ring=ring)
    measured = max(one["together"] for one in found)
    assert expected.step_seconds == pytest.approx(measured, rel=0.2)
    assert expected.step_seconds > 2 * workload.compute_seconds, "the link decides, as it should here"
