from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from fleet.events import (
    CheckFinished,
    CopyProgressed,
    EnvironmentOutput,
    FileChange,
    LinkChanged,
    LogChunk,
    MetricsSeen,
    NodeDeployed,
    Notice,
    PairProbed,
    RankExited,
    RankPhase,
    RankPlan,
    RankStarted,
    RunFinished,
    RunPlanned,
    StageChanged,
    TelemetrySampled,
)
from fleet.state import FleetState, Route
from fleet.state.node import KEPT_CHANGES, KEPT_LINES
from fleet.state.series import CURVE, RECENT, Curve
from tests.support import wire


def planned(at=10.0):
    ranks = tuple(
        RankPlan(node=node, rank=i, local_rank=i % 2) for i, node in enumerate(["a", "a", "b", "b"])
    )
    return RunPlanned(
        run="r1", world_size=4, master_address="10.0.0.1", master_port=29500, ranks=ranks, at=at
    )


def step(rank, number, loss, at=20.0, **more):
    record = wire.record(kind="step", step=number, loss=loss, **{"step_time": 0.5, **more})
    return MetricsSeen(node="a", run="r1", rank=rank, record=record, at=at)


def test_a_link_keeps_its_latency_while_it_is_up_and_loses_it_with_the_link():
    state = FleetState.of(["a", "b"]).after(
        LinkChanged(node="a", state="up", transport="ssh", latency_ms=1.5, at=1)
    )
    state = state.after(LinkChanged(node="a", state="up", at=2))
    assert (state.nodes["a"].link.latency_ms, state.nodes["a"].link.since) == (1.5, 1)
    state = state.after(LinkChanged(node="a", state="lost", detail="reset", at=3))
    link = state.nodes["a"].link
    assert (link.state, link.latency_ms, link.transport, link.since) == ("lost", None, "ssh", 3)
    assert state.nodes["b"].link.state == "unknown"


def test_an_earlier_state_is_never_changed():
    before = FleetState.of(["a"]).after(planned())
    copy = replace(before)
    events = [
        LinkChanged(node="a", state="up"),
        CheckFinished(node="a", check="ssh", status="ok", seen="x"),
        StageChanged(node="a", stage="connect", state="running"),
        RankStarted(node="a", run="r1", rank=0, pid=7),
        step(0, 1, 2.0),
        TelemetrySampled(node="a", sample=wire.sample(gpus=[{"util": 5}])),
        Notice(level="info", text="x"),
    ]
    after = before.after_all(events)
    assert before == copy
    assert before.nodes["a"].checks == {}
    assert before.runs["r1"].ranks[0].pid is None
    assert after != before


def test_checks_keep_the_order_in_which_they_came():
    state = FleetState()
    for node, check in [("a", "ping"), ("b", "ssh"), ("a", "ssh"), ("b", "ping")]:
        state = state.after(CheckFinished(node=node, check=check, status="ok", seen=""))
    assert state.checks == ("ping", "ssh")
    assert set(state.nodes) == {"a", "b"}


def test_ports_and_speed_of_a_way_come_by_themselves_and_stay():
    state = FleetState.of("ab").after_all(
        [
            PairProbed(node="a", peer="b", ports={"29500": "dropped"}),
            PairProbed(node="a", peer="b", latency_ms=0.3, bytes_per_second=1e8),
            PairProbed(node="a", peer="b", ports={"29500": "open"}),
        ]
    )
    assert state.nodes["a"].routes == {"b": Route({"29500": "open"}, 0.3, 1e8)}
    assert state.nodes["b"].routes == {}


def test_a_deploy_is_told_stage_by_stage_and_the_next_one_starts_clean():
    state = FleetState().after_all(
        [
            StageChanged(node="a", stage="connect", state="running", at=1),
            StageChanged(node="a", stage="connect", state="done", at=2),
            StageChanged(node="a", stage="copy", state="running", at=3),
            CopyProgressed(
                node="a", files_done=1, files_total=2, bytes_done=10, bytes_total=20, rate=5, eta=2
            ),
            FileChange(node="a", path="x", action="add", size=10),
            FileChange(node="a", path="y", action="delete", size=99),
            EnvironmentOutput(node="a", text="Resol"),
            EnvironmentOutput(node="a", text="ved\nnext\n"),
            StageChanged(
                node="a", stage="copy", state="failed", detail="disk full", remedy="free some", at=4
            ),
            NodeDeployed(node="a", ok=False, detail="disk full"),
        ]
    )
    node = state.nodes["a"]
    assert (node.stages["connect"].started, node.stages["connect"].ended) == (1, 2)
    assert node.failed_stage is not None
    assert node.failed_stage[1].detail == "disk full"
    assert (node.copy.bytes_done, node.plan.files, node.plan.size) == (10, 2, 10)
    assert node.environment == ("Resolved", "next", "")
    again = state.after(StageChanged(node="a", stage="connect", state="running", at=9)).nodes["a"]
    assert (again.copy, again.deployed, again.environment, again.failed_stage) == (None, None, (), None)
    assert list(again.stages) == ["connect"]


def test_long_outputs_and_plans_are_bounded():
    state = FleetState()
    for number in range(KEPT_LINES * 2):
        state = state.after(EnvironmentOutput(node="a", text=f"{number}\n"))
        state = state.after(FileChange(node="a", path=str(number), action="add", size=1))
    node = state.nodes["a"]
    assert len(node.environment) == KEPT_LINES
    assert node.environment[-2] == str(KEPT_LINES * 2 - 1)
    assert (len(node.plan.changes), node.plan.files) == (KEPT_CHANGES, KEPT_LINES * 2)


def test_telemetry_keeps_a_short_history_and_survives_holes():
    state = FleetState()
    for number in range(RECENT + 10):
        sample = wire.sample(gpus=[{"index": 0, "util": number}, {"index": 1, "util": None}])
        state = state.after(TelemetrySampled(node="a", sample=sample, at=number))
    node = state.nodes["a"]
    assert len(node.gpu_history[0]) == RECENT
    assert node.gpu_history[0][-1] == RECENT + 9
    assert 1 not in node.gpu_history
    assert node.cpu_history == ()


def test_a_run_from_plan_to_end():
    state = FleetState().after(planned())
    assert state.run is not None
    assert state.run.phase == "planned"
    for rank in range(4):
        state = state.after(RankStarted(node="ab"[rank // 2], run="r1", rank=rank, pid=100 + rank, at=11))
        state = state.after(RankPhase(run="r1", rank=rank, phase="joining", at=12))
    state = state.after(RankPhase(run="r1", rank=0, phase="joined", at=13))
    assert state.run.phase == "joining"
    state = state.after(step(0, 10, 2.0)).after(step(1, 10, 9.0)).after(step(0, 20, 1.5))
    assert state.run.loss.drawn == ((10, 2.0), (20, 1.5))
    assert state.run.leader.step == 20
    checkpoint = wire.record(kind="ckpt", step=20, path="checkpoints/20")
    state = state.after(MetricsSeen(run="r1", rank=0, record=checkpoint, at=21))
    assert [c.step for c in state.run.checkpoints] == [20]
    state = state.after(RankExited(run="r1", rank=2, code=1, at=30))
    state = state.after(RankExited(run="r1", rank=3, code=-9, stopped=True, at=29))
    assert state.run.first_failure is not None
    assert state.run.first_failure.rank == 2
    state = state.after(RunFinished(run="r1", outcome="failed", cause="rank 2 ended with 1", at=31))
    assert not state.run.active
    assert (state.run.cause, state.run.finished) == ("rank 2 ended with 1", 31)


def test_a_restarted_rank_is_alive_again():
    state = FleetState().after_all(
        [planned(), RankStarted(run="r1", rank=0, pid=1), RankExited(run="r1", rank=0, code=1)]
    )
    assert state.run.ranks[0].failed
    state = state.after(RankStarted(run="r1", rank=0, pid=2))
    assert state.run.ranks[0].alive
    assert not state.run.ranks[0].failed


def test_log_chunks_only_tell_that_a_rank_is_heard():
    state = FleetState().after(planned())
    first = state.after(LogChunk(run="r1", rank=0, offset=0, data=b"x", at=20.0))
    assert first.run.ranks[0].last_seen == 20.0
    assert first.after(LogChunk(run="r1", rank=0, offset=1, data=b"x", at=20.5)) is first
    assert state.after(LogChunk(run="unknown", rank=0, offset=0, data=b"x", at=1)) is state


def test_notices_are_counted_when_old_ones_go():
    state = FleetState()
    for number in range(500):
        state = state.after(Notice(level="info", text=str(number)))
    assert (state.noticed, state.notices[-1].text) == (500, "499")
    assert len(state.notices) == 200


@pytest.mark.parametrize("count", [10, CURVE, CURVE * 7, 100_000])
def test_a_curve_keeps_the_shape_of_the_whole_run(count):
    curve = Curve()
    for number in range(count):
        curve = curve.after(number, number * 2.0)
    points = curve.drawn
    assert len(points) <= CURVE + 1
    assert points[0] == (0, 0)
    assert points[-1] == (count - 1, (count - 1) * 2.0)
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(points)]
    assert max(gaps) <= max(1, count // (CURVE // 4))


def test_a_curve_that_restarts_from_a_checkpoint_does_not_go_back():
    curve = Curve()
    for number in [0, 10, 20, 30, 15, 25]:
        curve = curve.after(number, 1.0)
    assert [step for step, _ in curve.drawn] == [0, 10, 15, 25]


def test_printed_figures_of_a_program_that_also_writes_metrics_do_not_replace_them():
    ranks = (RankPlan(node="a", rank=0, local_rank=0),)
    state = FleetState().after_all(
        [
            RunPlanned(run="r", world_size=1, master_address="", master_port=1, ranks=ranks, at=0.0),
            RankStarted(node="a", run="r", rank=0, pid=1, at=1.0),
            MetricsSeen(node="a", run="r", rank=0, at=2.0, record=wire.record(kind="step", step=5, loss=0.5)),
            MetricsSeen(
                node="a", run="r", rank=0, at=3.0, record=wire.record(kind="step", step=9), source="output"
            ),
        ]
    )
    run = state.run
    assert run is not None
    assert run.leader is not None
    assert run.leader.step == 5
    assert run.ranks[0].last_seen == 3.0


def test_ranks_whose_end_nobody_saw_are_lost_when_the_run_ends():
    ranks = tuple(RankPlan(node="a", rank=rank, local_rank=rank) for rank in (0, 1))
    state = FleetState().after_all(
        [
            RunPlanned(run="r", world_size=2, master_address="", master_port=1, ranks=ranks, at=0.0),
            *(RankStarted(node="a", run="r", rank=rank, pid=rank + 1, at=1.0) for rank in (0, 1)),
            RankExited(node="a", run="r", rank=1, at=2.0, code=-1, lost=True),
            RunFinished(run="r", outcome="failed", at=3.0),
        ]
    )
    run = state.run
    assert run is not None
    assert [(rank.lost, rank.alive, rank.code) for rank in run.ranks.values()] == [(True, False, None)] * 2
