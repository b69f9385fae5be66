"""What samples and step records mean: shares, waits, stragglers, energy, indicators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.wire.gpu import Gpu
from agent.wire.message import to_data
from agent.wire.telemetry import Sample
from fleet.events import (
    MetricsSeen,
    RankExited,
    RankPlan,
    RankStarted,
    RunFinished,
    RunPlanned,
    TelemetrySampled,
)
from fleet.telemetry import INDICATORS, Meter, TelemetrySettings, read_tallies, worst
from fleet.telemetry.energy import EnergyMeter, cost
from fleet.telemetry.health import indicators_of, memory_use, network_use
from fleet.telemetry.settings import Band
from fleet.telemetry.shares import Share, training_share
from fleet.telemetry.steps import Bottleneck, StepWindow, bottleneck_of, straggler_of
from fleet.telemetry.tally import write_tallies
from fleet.telemetry.throttle import harmful
from tests.support import wire
from tests.telemetry.samples import GIB, gpu, process, sample

SETTINGS = TelemetrySettings()
OWN = {4711}


@pytest.mark.parametrize(
    ("processes", "share"),
    [
        ([process(4711)], Share(97.0)),
        ([], Share(0.0)),
        ([process(99)], Share(0.0, foreign=(99,))),
        ([process(4711, util=60), process(99, util=20)], Share(97 * 0.75, foreign=(99,))),
        ([process(4711, 3 * GIB), process(99, GIB)], Share(97 * 0.75, exact=False, foreign=(99,))),
        ([process(4711, None), process(99, None)], Share(None, foreign=(99,))),
        (None, Share(None)),
    ],
    ids=["ours", "nobody", "another", "loads known", "memory known", "WDDM", "not told"],
)
def test_the_share_of_a_gpu_that_trains(processes: Any, share: Share) -> None:
    assert training_share(gpu(processes=processes), OWN) == share


def window(**ranks: list[tuple[float, float | None, float | None]]) -> StepWindow:
    steps = StepWindow(60)
    for rank, records in ranks.items():
        for at, (whole, data, communication) in enumerate(records):
            record = wire.record(kind="step", step_time=whole, data_time=data, comm_time=communication)
            steps.add(1000.0 + at, int(rank[1:]), record)
    return steps


@pytest.mark.parametrize(
    ("step", "util", "network", "kind"),
    [
        ((1.0, 0.4, 0.1), 60, 5, "data"),
        ((1.0, 0.05, 0.7), 50, 95, "communication"),
        ((1.0, 0.3, 0.5), 50, 95, "communication"),
        ((1.0, 0.01, 0.02), 99, 5, "compute"),
        ((1.0, 0.01, 0.02), 30, 5, "host"),
        ((1.0, None, None), 30, 95, "communication"),
        ((1.0, None, None), None, None, "compute"),
    ],
)
def test_what_a_run_waits_for(step: Any, util: Any, network: Any, kind: str) -> None:
    steps = window(r0=[step] * 5).of([0])
    assert bottleneck_of(steps, SETTINGS, util, network).kind == kind


def test_without_steps_and_load_nothing_is_claimed() -> None:
    assert bottleneck_of([], SETTINGS, None, None) == Bottleneck("unknown")
    assert bottleneck_of([], SETTINGS, 10, 5) == Bottleneck("unknown")


def test_the_straggler_is_the_rank_that_does_not_wait() -> None:
    steps = window(r0=[(1.0, 0.05, 0.4)] * 5, r1=[(1.0, 0.05, 0.42)] * 5, r2=[(1.0, 0.05, 0.02)] * 5)
    straggler = straggler_of(steps.ranks, 1.15)
    assert straggler is not None
    assert (straggler.rank, straggler.reason) == (2, "compute")
    assert straggler.own == pytest.approx(0.98)


def test_a_straggler_may_wait_for_its_data() -> None:
    steps = window(r0=[(1.0, 0.05, 0.4)] * 5, r1=[(1.0, 0.42, 0.02)] * 5)
    straggler = straggler_of(steps.ranks, 1.15)
    assert straggler is not None
    assert (straggler.rank, straggler.reason) == (1, "data")


@pytest.mark.parametrize(
    "ranks",
    [
        {"r0": [(1.0, 0.1, 0.2)] * 5},
        {"r0": [(1.0, 0.1, 0.20)] * 5, "r1": [(1.0, 0.1, 0.18)] * 5},
        {"r0": [(1.0, 0.1, 0.2)] * 5, "r1": [(9.0, 0.1, 0.0)] * 2},
        {"r0": [(1.0, 0.1, None)] * 5, "r1": [(2.0, 0.1, None)] * 5},
    ],
    ids=["alone", "alike", "too few steps", "no waiting told"],
)
def test_no_straggler_is_claimed_without_evidence(ranks: Any) -> None:
    assert straggler_of(window(**ranks).ranks, 1.15) is None


def test_old_steps_are_forgotten() -> None:
    steps = window(r0=[(1.0, 0.1, 0.1)] * 5)
    steps.forget(1100.0)
    assert steps.of([0]) == []


def test_energy_comes_from_the_counters_and_else_from_the_power() -> None:
    meter = EnergyMeter()
    meter.add(0.0, sample(gpu(0, energy=1000, power=999.0), gpu(1, energy=None, power=100.0)))
    meter.add(2.0, sample(gpu(0, energy=1500, power=999.0), gpu(1, energy=None, power=300.0)))
    assert meter.joules == 500 + 400
    meter.add(3.0, sample(gpu(0, energy=7, power=50.0), stale=False))  # the driver was loaded again
    assert meter.joules == 900 + (999 + 50) / 2
    meter.add(500.0, sample(gpu(1, power=100.0)))  # nobody looked for minutes: no guess
    assert meter.joules == 900 + (999 + 50) / 2
    meter.add(501.0, sample(gpu(1, power=1e9), stale=True))
    assert meter.joules == 900 + (999 + 50) / 2


def test_energy_costs_what_the_settings_say() -> None:
    assert cost(3.6e6, 150.0) == 150.0
    assert cost(3.6e6, None) is None


def indicators(
    *samples: Sample, bottleneck: Bottleneck | None = None, training: bool = True
) -> dict[str, Any]:
    found = indicators_of(samples, bottleneck or Bottleneck("compute", data=2.0), SETTINGS, training=training)
    assert tuple(indicator.name for indicator in found) == INDICATORS
    return {indicator.name: indicator for indicator in found}


def test_four_lights_of_a_healthy_node_are_green() -> None:
    assert {indicator.status for indicator in indicators(sample(gpu())).values()} == {"ok"}


@pytest.mark.parametrize(("util", "status"), [(95, "ok"), (94, "warn"), (79, "fail")])
def test_the_guides_95_percent(util: int, status: str) -> None:
    assert indicators(sample(gpu(util=util)))["gpu"].status == status


def test_an_idle_gpu_is_no_fault_when_nothing_runs() -> None:
    assert indicators(sample(gpu(util=0)), training=False)["gpu"].status == "skip"


def test_a_full_network_full_memory_and_slow_data_are_told_with_a_remedy() -> None:
    full = sample(gpu(memory_used=79 * GIB), network={"speed_mbps": 1000, "rx": 1.2e8, "tx": 0})
    found = indicators(full, bottleneck=Bottleneck("data", data=30.0))
    for name in ("network", "memory", "data"):
        assert found[name].status == "fail"
        assert found[name].remedy


def test_ram_counts_as_memory_too() -> None:
    assert memory_use(sample(gpu(), ram={"used": 63 * GIB, "total": 64 * GIB})) == pytest.approx(98.4375)


def test_a_network_without_known_speed_is_not_judged() -> None:
    assert network_use([sample(network={"speed_mbps": None, "rx": 1e9, "tx": 0})]) is None
    assert (
        indicators(sample(gpu(), network={"speed_mbps": None, "rx": None, "tx": None}))["network"].status
        == "skip"
    )


def test_heat_shows_although_the_gpu_is_busy() -> None:
    indicator = indicators(sample(gpu(throttle=0x40)))["gpu"]
    assert (indicator.status, indicator.finding) == ("warn", "GPU 0 is throttled: temperature (hardware)")


def test_a_lost_gpu_and_a_hung_driver_are_red() -> None:
    assert indicators(sample(gpu(error=to_data("the GPU has fallen off the bus"))))["gpu"].status == "fail"
    indicator = indicators(sample(gpu(), stale=True, error=to_data("the GPU driver does not answer")))["gpu"]
    assert (indicator.status, indicator.finding) == ("fail", "the GPU driver does not answer")


def test_throttle_reasons_in_words() -> None:
    assert harmful(0x5) == ()
    assert harmful(0xA8) == ("hardware slowdown", "temperature (software)", "power brake")
    assert harmful(None) == ()


def planned(run: str, *nodes: str) -> RunPlanned:
    ranks = tuple(RankPlan(node=node, rank=rank, local_rank=0) for rank, node in enumerate(nodes))
    return RunPlanned(
        run=run, world_size=len(nodes), master_address="127.0.0.1", master_port=29500, ranks=ranks
    )


def sampled(node: str, at: float, *gpus: Gpu) -> TelemetrySampled:
    return TelemetrySampled(node=node, at=at, sample=sample(*gpus))


def test_a_rank_may_train_in_another_process_than_the_one_that_was_started() -> None:
    meter = Meter()
    meter.add(planned("r", "gpu1"))
    meter.add(RankStarted(run="r", rank=0, node="gpu1", pid=100))
    busy = gpu(util=90, processes=[process(101), process(7)])
    meter.add(sampled("gpu1", 1.0, busy))
    assert meter.summary().nodes["gpu1"].shares[0].percent == 0.0
    # python.exe of a virtual environment on Windows starts another, which says so.
    record = wire.record(kind="phase", phase="starting", pid=101)
    meter.add(MetricsSeen(run="r", rank=0, node="gpu1", at=1.5, record=record))
    meter.add(sampled("gpu1", 2.0, busy))
    meaning = meter.summary()
    assert meaning.nodes["gpu1"].shares[0].percent == 45.0
    assert meaning.training == pytest.approx(45.0)


def test_runs_are_told_apart_when_one_is_looked_back_at() -> None:
    meter = Meter()
    for run, node, wait in (("old", "gpu1", 0.6), ("new", "gpu2", 0.0)):
        meter.add(planned(run, node))
        meter.add(RankStarted(run=run, rank=0, node=node, pid=4711))
        for second in range(5):
            record = wire.record(kind="step", step_time=1.0, data_time=wait, comm_time=0.0)
            meter.add(MetricsSeen(run=run, rank=0, node=node, at=float(second), record=record))
            meter.add(sampled(node, float(second), gpu(power=100.0, processes=[process(4711)])))
        if run == "old":
            meter.add(RunFinished(run=run, outcome="succeeded"))
    for second in range(5, 15):
        meter.add(sampled("gpu2", float(second), gpu(power=100.0, processes=[process(4711)])))
    old, new = meter.summary("old"), meter.summary("new")
    assert (old.bottleneck.kind, new.bottleneck.kind) == ("data", "compute")
    assert (old.joules, new.joules) == (400.0, 1400.0)
    assert meter.summary() == new
    assert meter.summary("never heard of").joules == 0.0
    assert old.nodes["gpu2"].indicators == new.nodes["gpu2"].indicators, (
        "indicators are of now, whatever is looked at"
    )
    meter.add(sampled("gpu2", 500.0, gpu()))
    assert meter.summary("old").bottleneck.kind == "data", "what a run waited for at its end stays"


def test_energy_goes_on_where_an_earlier_console_stopped_counting(tmp_path: Path) -> None:
    first = Meter()
    first.add(planned("r", "gpu1"))
    first.add(RankStarted(run="r", rank=0, node="gpu1", pid=4711))
    for second in range(3):
        busy = gpu(energy=1000.0 * second, processes=[process(4711)])
        first.add(sampled("gpu1", float(second), busy))
    write_tallies(tmp_path, first.tallies("r"))

    second_one = Meter(before=lambda run: read_tallies(tmp_path) if run == "r" else {})
    second_one.add(planned("r", "gpu1"))
    assert second_one.summary().joules == 2000.0
    assert second_one.summary().training == pytest.approx(97.0)
    second_one.add(RankStarted(run="r", rank=0, node="gpu1", pid=4711))
    # An hour in which nobody looked: the board has counted.
    second_one.add(sampled("gpu1", 3600.0, gpu(energy=90_000.0, processes=[process(4711)])))
    assert second_one.summary().joules == 90_000.0
    assert second_one.summary().training == pytest.approx(97.0), "and of that hour nothing is claimed"


@pytest.mark.parametrize("text", ["", "[]", '{"gpu1": 3}', '{"gpu1": {"energy": {"0": 1}}}'])
def test_a_damaged_tally_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "tally.json").write_text(text)
    assert read_tallies(tmp_path) == {}


def test_the_lights_of_a_fleet_are_those_of_whoever_is_worst_off() -> None:
    found = worst(
        {
            "gpu1": indicators_of(
                [sample(gpu(util=99))], Bottleneck("compute", data=2.0), SETTINGS, training=True
            ),
            "gpu2": indicators_of([sample(gpu(util=50))], Bottleneck("unknown"), SETTINGS, training=True),
        }
    )
    assert [(indicator.name, node, indicator.status) for node, indicator in found] == [
        ("gpu", "gpu2", "fail"),
        ("network", "gpu1", "ok"),
        ("data", "gpu1", "ok"),
        ("memory", "gpu1", "ok"),
    ]


def test_a_run_is_followed_from_its_plan_to_its_end() -> None:
    meter = Meter(TelemetrySettings(price_per_kwh=360.0, currency="KRW", gpu=Band(90, 50)))
    placed = [RankPlan(node="gpu1", rank=0, local_rank=0), RankPlan(node="gpu2", rank=1, local_rank=0)]
    meter.add(
        RunPlanned(run="r", world_size=2, master_address="127.0.0.1", master_port=29500, ranks=tuple(placed))
    )
    meter.add(TelemetrySampled(node="gpu1", at=0.0, sample=sample(gpu(power=1000.0))))
    for rank, node in enumerate(("gpu1", "gpu2")):
        meter.add(RankStarted(run="r", rank=rank, node=node, pid=4711 + rank))
    for second in range(1, 11):
        for rank, node in enumerate(("gpu1", "gpu2")):
            busy = gpu(power=1000.0, processes=[process(4711 + rank), process(7)])
            meter.add(TelemetrySampled(node=node, at=float(second), sample=sample(busy)))
            waited = 0.4 * (1 - rank)
            record = wire.record(kind="step", step_time=1.0, data_time=0.01, comm_time=waited)
            meter.add(MetricsSeen(run="r", rank=rank, node=node, at=float(second), record=record))
    meaning = meter.summary()
    assert meaning.straggler is not None
    assert meaning.straggler.rank == 1
    assert meaning.nodes["gpu2"].ranks == {0: (1,)}
    assert meaning.nodes["gpu2"].shares[0].foreign == (7,)
    assert meaning.joules == 2 * 9 * 1000.0
    assert meaning.cost == pytest.approx(18000 / 3.6e6 * 360.0)
    assert meaning.nodes["gpu1"].indicators[0].status == "ok"

    meter.add(RankExited(run="r", rank=0, node="gpu1", code=0))
    meter.add(RunFinished(run="r", outcome="succeeded"))
    meter.add(TelemetrySampled(node="gpu1", at=11.0, sample=sample(gpu(power=1000.0))))
    after = meter.summary()
    assert after.joules == meaning.joules, "after the run nothing is counted"
    assert after.nodes["gpu1"].indicators[0].status == "skip"
