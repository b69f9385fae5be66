"""Watching runs on loopback nodes, from the first rank to the verdict."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.processes import identify
from agent.wire.operations import OPERATIONS
from fleet.events import (
    LinkChanged,
    LogChunk,
    MetricsSeen,
    Notice,
    RankExited,
    RankPhase,
    RankStarted,
    RunPlanned,
)
from fleet.fleet import Fleet
from fleet.runs import WatchOptions, launch, replay, watch
from tests.runs.fleets import (
    SWIFT,
    collect,
    finish,
    fleet_of,
    inventory,
    of,
    output,
    plan_of,
    project,
    rank_log,
    until,
    watch_until,
    watched,
)
from tests.support.ports import free_port


async def test_a_run_over_unequal_nodes_succeeds_and_every_byte_arrives(tmp_path: Path) -> None:
    program = """
say("rank", RANK, "of", os.environ["WORLD_SIZE"], "on", os.environ["DTUI_NODE"])
note(kind="phase", phase="joined")
note(kind="step", step=1, loss=0.5)
sys.stdout.write("x" * 300_000)
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=2))
    async with fleet:
        plan = plan_of(fleet.inventory)
        launched = await collect(launch(fleet, plan))
        events = await watched(fleet)
    assert isinstance(launched[0], RunPlanned)
    assert [(e.node, e.rank) for e in of(launched, RankStarted)] == [("master", 0), ("gpu1", 1), ("gpu1", 2)]
    assert events[: len(launched)] == launched, "a watch begins with what was recorded"
    assert of(events, RankStarted) == of(launched, RankStarted), "nothing is told twice"
    for rank, node in enumerate(("master", "gpu1", "gpu1")):
        text = f"rank {rank} of 3 on {node}\n".encode() + b"x" * 300_000
        assert output(events, rank) == text
    assert {(e.rank, e.phase) for e in of(events, RankPhase)} == {(0, "joined"), (1, "joined"), (2, "joined")}
    assert sorted(e.rank for e in of(events, MetricsSeen) if e.record.kind == "step") == [0, 1, 2]
    assert sorted((e.rank, e.code, e.stopped) for e in of(events, RankExited)) == [
        (rank, 0, False) for rank in range(3)
    ]
    assert finish(events).outcome == "succeeded"
    assert list(replay(fleet.home / "runs" / "run-1" / "events.jsonl")) == events


async def test_a_failing_rank_ends_the_others_everywhere_and_is_the_cause(tmp_path: Path) -> None:
    program = """
if RANK == 1:
    wait_for("go")
    sys.exit(7)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
say("up")
time.sleep(100)
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1, gpu2=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await until(lambda: all(rank_log(fleet, n, r).read_bytes() for n, r in (("master", 0), ("gpu2", 2))))
        (project(fleet, "gpu1") / "go").touch()
        events = await watched(fleet)
        swept = [
            await (await fleet.link(node)).call(OPERATIONS["sweep"], {"project": node.project})
            for node in fleet.nodes
        ]
    ends = {event.rank: event for event in of(events, RankExited)}
    assert (ends[1].code, ends[1].stopped) == (7, False)
    assert ends[0].stopped
    assert ends[2].stopped
    assert finish(events).outcome == "failed"
    assert finish(events).cause == "rank 1 (gpu1) ended with exit code 7"
    assert all(not found["orphans"] for found in swept), "children of ranks are ended, too"


async def test_a_killed_rank_is_told_with_its_signal(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "say('up'); time.sleep(100)", master=1, gpu1=1))
    async with fleet:
        launched = await collect(launch(fleet, plan_of(fleet.inventory)))
        os.kill(of(launched, RankStarted)[1].pid, signal.SIGKILL)
        events = await watched(fleet)
    assert finish(events).cause.startswith("rank 1 (gpu1) was ended by signal 9 (SIGKILL)")


async def test_a_traceback_with_code_0_is_a_success(tmp_path: Path) -> None:
    program = "say('Traceback (most recent call last):'); say('RuntimeError: exit barrier')"
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        assert finish(await watched(fleet)).outcome == "succeeded"


async def test_a_link_cut_in_mid_log_loses_and_doubles_nothing(tmp_path: Path) -> None:
    program = """
for number in range(400):
    say("line", number, "x" * 2000)
    note(kind="step", step=number)
    if number == 200:
        wait_for("go")
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        cuts = 0
        events = []
        async with asyncio.timeout(120):
            async for event in watch(fleet, "run-1", SWIFT):
                events.append(event)
                if len(events) % 15 == 0 and cuts < 5:
                    cuts += 1
                    link = await fleet.link(fleet.inventory.workers[0])
                    with suppress(ProcessLookupError):  # already cut, and not noticed yet
                        os.kill(link.hello.pid, signal.SIGKILL)
                    for name in ("master", "gpu1"):
                        (project(fleet, name) / "go").touch()
    assert {"lost", "up"} <= {e.state for e in of(events, LinkChanged) if e.node == "gpu1"}
    for rank, name in enumerate(("master", "gpu1")):
        assert output(events, rank) == rank_log(fleet, name, rank).read_bytes()
        steps = [e.record.step for e in of(events, MetricsSeen) if e.rank == rank]
        assert steps == list(range(400))
    assert finish(events).outcome == "succeeded"


async def test_a_watch_that_leaves_leaves_the_run_alone_and_the_next_goes_on(tmp_path: Path) -> None:
    program = """
say("first " + "a" * 5000)
wait_for("go")
say("second " + "b" * 5000)
"""
    home = inventory(tmp_path, program, master=1, gpu1=1)
    async with fleet_of(home) as fleet:
        await collect(launch(fleet, plan_of(home)))
        first = await watch_until(fleet, lambda seen: all(b"first" in output(seen, r) for r in (0, 1)))
    async with fleet_of(home) as fleet:
        for name in ("master", "gpu1"):
            (project(fleet, name) / "go").touch()
        events = await watched(fleet)
        for rank, name in enumerate(("master", "gpu1")):
            assert output(events, rank) == rank_log(fleet, name, rank).read_bytes()
        assert events[: len(first)] == first
        assert finish(events).outcome == "succeeded"
        assert await watched(fleet) == events, "a finished run is told from its recording"


async def test_two_watches_see_the_same_and_only_one_records(tmp_path: Path) -> None:
    program = "say('one'); wait_for('go'); say('two')"
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        gate = asyncio.Event()

        async def second() -> list[object]:
            seen: list[object] = []
            async for event in watch(fleet, "run-1", SWIFT):
                seen.append(event)
                gate.set()
            return seen

        async def first() -> list[object]:
            seen: list[object] = []
            other = None
            async for event in watch(fleet, "run-1", SWIFT):
                seen.append(event)
                if other is None:
                    other = asyncio.create_task(second())
                    await gate.wait()
                    (project(fleet, "master") / "go").touch()
            assert other is not None
            assert output(await other, 0) == b"one\ntwo\n"  # type: ignore[arg-type]
            return seen

        async with asyncio.timeout(120):
            recorded = await first()
    assert list(replay(fleet.home / "runs" / "run-1" / "events.jsonl")) == recorded


async def test_a_supervisor_that_was_killed_fails_the_run_and_its_ranks_are_ended(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "say('up'); time.sleep(100)", master=1, gpu1=2))
    async with fleet:
        launched = await collect(launch(fleet, plan_of(fleet.inventory)))
        node = fleet.inventory.workers[0]
        link = await fleet.link(node)
        status = (await link.call(OPERATIONS["status"], {"project": node.project, "run": "run-1"}))["runs"][0]
        os.kill(status["supervisor"]["pid"], signal.SIGKILL)
        await until(lambda: identify(status["supervisor"]["pid"]) is None)
        lost = (await link.call(OPERATIONS["status"], {"project": node.project, "run": "run-1"}))["runs"][0]
        events = await watched(fleet)
    assert lost["state"] == "lost"
    assert finish(events).outcome == "failed"
    assert finish(events).cause.startswith("the supervisor on gpu1 has ended unexpectedly")
    assert sorted(e.rank for e in of(events, RankExited) if e.stopped) == [0, 1, 2]
    assert not any(identify(event.pid) for event in of(launched, RankStarted))


async def test_ranks_that_do_not_join_are_named_and_then_ended(tmp_path: Path) -> None:
    program = """
note(kind="phase", phase="joining" if RANK else "joined")
time.sleep(100)
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1))
    options = WatchOptions(join_notice=2.0, start_timeout=5.0)
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        # A slow machine may not have started their Pythons yet.
        await until(lambda: len(list(tmp_path.glob("*/logs/metrics_*"))) == 2)
        events = await watched(fleet, options=options)
    notices = [event.text for event in of(events, Notice)]
    assert any("rank 1 (gpu1, joining)" in text and "rank 0" not in text for text in notices)
    assert finish(events).outcome == "failed"
    assert "rank 1 (gpu1, joining)" in finish(events).cause


async def test_a_program_without_phases_is_left_alone(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "time.sleep(1.2)", master=1, gpu1=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await watched(fleet, options=WatchOptions(join_notice=0.1, start_timeout=0.3))
    assert finish(events).outcome == "succeeded"
    assert not [notice for notice in of(events, Notice) if "joined" in notice.text]


async def test_a_log_that_is_cut_short_is_told_and_read_again(tmp_path: Path) -> None:
    program = "say('long ' + 'x' * 1000); wait_for('go'); say('end')"
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        log = rank_log(fleet, "master", 0)
        events = []
        async with asyncio.timeout(120):
            async for event in watch(fleet, "run-1", SWIFT):
                events.append(event)
                if event.node and of([event], Notice):
                    (project(fleet, "master") / "go").touch()
                elif of([event], LogChunk) and event.offset + len(event.data) == 1006:
                    os.truncate(log, 0)
    assert [notice.text for notice in of(events, Notice) if notice.node] == [
        ".dtui/runs/run-1/rank-0.log was truncated on the node and is read again from its beginning"
    ]


async def test_a_node_that_stays_out_of_reach_does_not_hold_up_a_failed_run(tmp_path: Path) -> None:
    program = "wait_for('go') if RANK == 0 else time.sleep(100)"
    fleet = fleet_of(inventory(tmp_path, program + "; sys.exit(4)", master=1, gpu1=1))
    options = WatchOptions(retry_first=0.05, failing_limit=0.3)
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        lost = fleet.inventory.workers[0]
        fleet.inventory = fleet.inventory.with_workers((replace(lost, python=str(tmp_path / "no-python")),))
        os.kill((await fleet.link(lost)).hello.pid, signal.SIGKILL)
        (project(fleet, "master") / "go").touch()
        events = await watched(fleet, options=options)
    assert finish(events).cause == "rank 0 (master) ended with exit code 4"
    (notice,) = [event for event in of(events, Notice) if event.node == "gpu1"]
    assert "they may still be running" in notice.text


async def test_times_are_the_masters_whatever_the_nodes_clocks_say(tmp_path: Path) -> None:
    home = inventory(tmp_path, "say('up')", master=1, gpu1=1)
    ahead = 86_400.0
    async with Fleet(home, home=home.project / ".dtui", clock=lambda: time.time() + ahead) as fleet:
        launched = await collect(launch(fleet, plan_of(home)))
        events = await watched(fleet)
    times = [event.at for event in launched + events if not isinstance(event, RunPlanned)]
    assert all(launched[0].at - 1 < at < finish(events).at + 1 for at in times)


NEVER_JOINS = """
import torch.distributed as dist
def load_data():
    wait_for("never", 100)
if RANK == 1:
    load_data()
dist.init_process_group("gloo")
"""


@pytest.mark.torch
async def test_a_rank_of_any_program_that_does_not_reach_the_rendezvous_is_named_with_its_line(
    tmp_path: Path,
) -> None:
    nodes = inventory(tmp_path, NEVER_JOINS, master=1, gpu1=1)
    port = free_port()
    fleet = fleet_of(replace(nodes, run=replace(nodes.run, port=port)))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        async with asyncio.timeout(120):
            options = WatchOptions(join_notice=2.0, start_timeout=12.0)
            events = [event async for event in watch(fleet, "run-1", options)]
    cause = finish(events).cause
    assert finish(events).outcome == "failed"
    assert "rank 1 (gpu1) has been in program.py:" in cause
    assert "`wait_for`" in cause
    assert f"rank 0 waiting at 127.0.0.1:{port}" in cause
    stacks = json.loads((fleet.home / "runs" / "run-1" / "stacks.json").read_text())
    assert [one["rank"] for node in stacks.values() for one in node] == [0, 1], "captured before the end"
    assert "rank 0 (" not in cause


async def test_the_last_line_of_a_rank_that_gives_up_is_part_of_the_cause(tmp_path: Path) -> None:
    program = "say('loading') ; sys.exit('data/train.bin is missing; run prepare.py' if RANK == 1 else 0)"
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await watched(fleet)
    assert finish(events).cause == (
        "rank 1 (gpu1) ended with exit code 1; its last output is 'data/train.bin is missing; run prepare.py'"
    )
