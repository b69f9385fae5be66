"""Runs that stop making progress in the middle, and healthy ones that only look like it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.wire.runs import Frame, Observed, RankStacks
from fleet.events import MetricsSeen, Notice, RankExited, RankPlan, RankStarted
from fleet.runs import WatchOptions, launch, watch
from fleet.runs.progress import Progress
from fleet.runs.stalls import StepPace, watch_stalls
from fleet.runs.watch_state import RankObserved, WatchState
from tests.runs.fleets import collect, finish, fleet_of, inventory, of, plan_of
from tests.support import wire
from tests.support.ports import free_port

HANGS = """
import torch, torch.distributed as dist
dist.init_process_group("gloo")
def train_step(step):
    dist.all_reduce(torch.ones(4))
def evaluate(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
def load_batch():
    time.sleep(1000)
for step in range(3):
    train_step(step)
if RANK == 1:
    evaluate(9)
    load_batch()
train_step(3)
"""


@pytest.mark.torch
async def test_the_rank_that_stops_is_named_with_its_line_and_a_busy_one_is_not(tmp_path: Path) -> None:
    nodes = inventory(tmp_path, HANGS, master=1, gpu1=2)
    fleet = fleet_of(replace(nodes, run=replace(nodes.run, port=free_port())))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        async with asyncio.timeout(120):
            options = WatchOptions(stall_notice=2.0, stall_timeout=18.0)
            events = [event async for event in watch(fleet, "run-1", options)]
    (notice,) = [event for event in of(events, Notice) if event.text.id.startswith("run.stalled")]
    assert "rank 1 (gpu1) has been in program.py:" in notice.text
    assert "`load_batch`" in notice.text, "not evaluate(), which uses the CPU"
    assert "rank 0, rank 2 waiting in program.py:" in notice.text
    assert "`train_step`" in notice.text
    end = finish(events)
    assert end.outcome == "failed"
    assert "`load_batch`" in end.cause
    assert all(event.stopped for event in of(events, RankExited)), "no rank ended by itself"
    stacks = json.loads((fleet.home / "runs" / "run-1" / "stacks.json").read_text())
    assert [one["rank"] for node in stacks.values() for one in node] == [0, 1, 2]


def frames(*functions: str, file: str = "/home/me/train.py") -> list[Frame]:
    return [{"file": file, "line": 42, "function": function} for function in functions]


def observed(rank: int, **changes: object) -> RankObserved:
    found: Observed = {
        "phase": "joined", "since": 1000.0, "frames": frames("step"), "collective": False,
        "store": None, "stuck": False, "idle": 99.0,
    }  # fmt: skip
    return RankObserved(node=f"gpu{rank}", at=1090.0, rank=rank, observed={**found, **changes})  # type: ignore[typeddict-item]


def recorder(rank: int, number: int, name: str = "gloo:all_reduce", size: int = 4) -> RankStacks:
    entry = {"collective_seq_id": number, "profiling_name": name, "input_sizes": [[size]]}
    return {"rank": rank, "source": "observer", "stacks": [], "recorder": json.dumps({"entries": [entry]})}


async def notices(
    *seen: RankObserved,
    stacks: tuple[RankStacks, ...] = (),
    steps: tuple[float, ...] = (),
    now: float = 1100.0,
    ended: tuple[RankExited, ...] = (),
) -> list[str]:
    """Return the texts of the notices of a watch that looks a few times at ``now``."""
    progress, watch_state, pace = Progress(), WatchState(), StepPace()
    plans = [RankPlan(node=one.node, rank=one.rank, local_rank=0) for one in seen]
    for one in seen:
        progress.add(RankStarted(node=one.node, at=900.0, run="r", rank=one.rank, pid=1))
        progress.observe(one)
    for end in ended:
        progress.add(end)
    for at in steps:
        pace.add(MetricsSeen(run="r", rank=0, at=at, record=wire.record(kind="step")))
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        if looks == 4:
            watch_state.over.set()
        return now

    async def answer() -> tuple[RankStacks, ...]:
        return stacks

    options = WatchOptions(stall_notice=0.01, stall_timeout=None)
    return [
        str(event.text)
        async for event in watch_stalls(plans, progress, pace, watch_state, options, clock, answer)
        if isinstance(event, Notice)
    ]


async def test_the_rank_outside_the_collective_is_named_once() -> None:
    (text,) = await notices(observed(0, collective=True, frames=frames("train")), observed(1))
    assert text == (
        "no progress for 1 min 40 s: rank 1 (gpu1) has been in train.py:42 `step` for 1 min 40 s; "
        "rank 0 waiting in train.py:42 `train`"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"idle": 0.0},
        {"idle": None},
        {"since": 1099.999},
        {"frames": frames("set_trace", file="/usr/lib/python3.11/bdb.py")},
        {"phase": "joining"},
    ],
)
async def test_a_rank_that_works_or_is_paused_has_not_stopped(changes: dict[str, object]) -> None:
    assert await notices(observed(0, collective=True), observed(1, **changes)) == []


async def test_a_rank_whose_node_is_out_of_reach_is_not_judged() -> None:
    assert await notices(observed(0, collective=True), observed(1), now=1200.0) == []


async def test_a_run_of_slow_steps_may_take_longer() -> None:
    assert await notices(observed(0), observed(1), steps=(960.0, 1000.0)) == []
    assert len(await notices(observed(0), observed(1), steps=(999.0, 1000.0))) == 1


async def test_the_flight_recorder_shows_which_rank_is_behind_where_no_stack_does() -> None:
    both = (observed(0), observed(1))
    (text,) = await notices(*both, stacks=(recorder(0, 12), recorder(1, 11)))
    assert "rank 1 (gpu1) has been in" in text
    assert "rank 0 waiting" in text


async def test_ranks_in_different_collectives_are_shown_side_by_side() -> None:
    both = (observed(0, collective=True), observed(1, collective=True))
    (text,) = await notices(*both, stacks=(recorder(0, 12, size=2000), recorder(1, 12, size=1000)))
    assert "the ranks are in different collectives" in text
    assert "rank 0: gloo:all_reduce [[2000]]; rank 1: gloo:all_reduce [[1000]]" in text


async def test_a_slow_exchange_is_no_stall_but_a_dead_one_is() -> None:
    stacks = (recorder(0, 12), recorder(1, 12))
    busy = [observed(rank, collective=True, idle=0.0) for rank in (0, 1)]
    assert await notices(*busy, stacks=stacks) == []
    (text,) = await notices(*[observed(rank, collective=True) for rank in (0, 1)], stacks=stacks)
    assert "every rank waits in a collective" in text


async def test_a_rank_that_left_with_0_is_named_when_the_others_wait_for_it() -> None:
    waits = observed(0, collective=True)
    left = RankExited(node="gpu1", at=1001.0, run="r", rank=1, code=0)
    (text,) = await notices(waits, observed(1), stacks=(recorder(0, 12),), ended=(left,))
    assert text == (
        "no progress for 1 min 40 s: rank 1 (gpu1) ended with exit code 0, and the others wait for it: "
        "rank 0 (gpu0) has been in train.py:42 `step` for 1 min 40 s"
    )


async def test_a_rank_that_left_is_not_named_for_a_collective_without_it() -> None:
    pair = (observed(0, collective=True), observed(2, collective=True))
    left = RankExited(node="gpu1", at=1001.0, run="r", rank=1, code=0)
    of_two = recorder(0, 12)
    of_two["recorder"] = json.dumps(
        {
            "entries": [{"collective_seq_id": 1, "process_group": ["1", "two"], "record_id": 3}],
            "pg_config": {"1": {"name": "1", "desc": "two", "ranks": "[0, 2]"}},
        }
    )
    (text,) = await notices(pair[0], observed(1), pair[1], stacks=(of_two,), ended=(left,))
    assert "every rank waits in a collective" in text
