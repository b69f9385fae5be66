"""How a program fails, and what the run says is the cause: real torch over real SSH nodes.

The rows are the failures that were measured for TRAINER truths and for runs under faults. Only the most
frequent ones run in every test run; `make full` runs all.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from fleet.events import Event, LogChunk, RankExited, RankStarted
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.runs import WatchOptions, launch, stop, watch
from lab.lab import Lab
from tests.runs.fleets import PRELUDE, finish, of, output, plan_of
from tests.support.ports import free_port

pytestmark = pytest.mark.torch

#: Joins, does two steps, prints that it is in the middle, and goes on until something happens.
TRAINS = """
import datetime, torch, torch.distributed as dist
dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=LIMIT))
def step():
    dist.all_reduce(torch.ones(4))
for _ in range(2):
    step()
say("in the middle")
"""
STEPS = "\nwhile True:\n    step()\n    time.sleep(0.05)\n"


def prepare(lab: Lab, tmp_path: Path, program: str) -> Fleet:
    settings = RunSettings(module=None, script="program.py", config=None, port=free_port())
    inventory = lab.inventory(tmp_path / "project", run=settings)
    folders = [inventory.project]
    folders += [node.home.folder / inventory.workers[0].project.removeprefix("~/") for node in lab.nodes]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "program.py").write_text(PRELUDE + program, encoding="utf-8")
    lab.trust(inventory.project / ".dtui" / "known_hosts")
    return Fleet(inventory, home=inventory.project / ".dtui", prompts=lab.prompts)


async def ended(
    tmp_path: Path,
    program: str,
    fault: Callable[[dict[int, int]], None] | None = None,
    options: WatchOptions | None = None,
    *,
    limit: int = 60,
) -> list[Event]:
    """Return the events of a run over two SSH nodes; ``fault`` gets the ranks' pids in the middle of it."""
    async with Lab(2, root=tmp_path / "lab") as lab:
        fleet = prepare(lab, tmp_path, f"LIMIT = {limit}\n" + program)
        async with fleet, asyncio.timeout(400):
            launched = [event async for event in launch(fleet, plan_of(fleet.inventory))]
            pids = {event.rank: event.pid for event in of(launched, RankStarted)}
            seen: list[Event] = []
            done = fault is None
            try:
                async with aclosing(watch(fleet, "run-1", options or WatchOptions())) as events:
                    async for event in events:
                        seen.append(event)
                        if not done and isinstance(event, LogChunk):
                            done = all(b"in the middle" in output(seen, rank) for rank in pids)
                            if done and fault is not None:
                                fault(pids)
            finally:
                async with aclosing(stop(fleet, "run-1", grace=0.0, collect=False)) as stops:
                    async for _ in stops:
                        pass
    return seen


async def test_a_rank_that_leaves_with_0_is_the_cause_not_the_ranks_that_lost_it(tmp_path: Path) -> None:
    events = await ended(tmp_path, TRAINS + "if RANK == 1:\n    os._exit(0)\n" + STEPS)
    assert finish(events).outcome == "failed"
    assert finish(events).cause.startswith(
        "rank 1 (node1) ended with exit code 0 while others still needed it"
    )


@pytest.mark.full
async def test_a_killed_rank_is_the_cause(tmp_path: Path) -> None:
    events = await ended(tmp_path, TRAINS + STEPS, lambda pids: os.kill(pids[2], signal.SIGKILL))
    assert finish(events).cause.startswith("rank 2 (node2) was ended by signal 9 (SIGKILL)")


@pytest.mark.full
async def test_a_killed_rank_0_is_the_cause_although_it_holds_the_store(tmp_path: Path) -> None:
    events = await ended(tmp_path, TRAINS + STEPS, lambda pids: os.kill(pids[0], signal.SIGKILL))
    assert finish(events).cause.startswith("rank 0 (master) was ended by signal 9 (SIGKILL)")
    assert {event.rank for event in of(events, RankExited)} == {0, 1, 2}, "no rank is shown as running"


@pytest.mark.full
async def test_an_exception_in_a_slow_exit_is_the_cause_although_others_end_first(tmp_path: Path) -> None:
    program = TRAINS + (
        "if RANK == 1:\n    import atexit; atexit.register(time.sleep, 3)\n    dist.destroy_process_group()\n"
        "    raise ValueError('no such column')\n"
    )
    events = await ended(tmp_path, program + STEPS)
    assert "rank 1 (node1)" in finish(events).cause
    assert "no such column" in finish(events).cause


@pytest.mark.full
async def test_a_rank_0_that_is_alone_names_who_is_missing(tmp_path: Path) -> None:
    program = "if RANK:\n    wait_for('never', 1000)\n" + TRAINS
    events = await ended(tmp_path, program, options=WatchOptions(join_notice=5.0, start_timeout=25.0))
    cause = finish(events).cause
    assert "rank 1 (node1) has been in program.py" in cause
    assert "rank 2 (node2) has been in program.py" in cause
    assert "rank 0 waiting at" in cause


@pytest.mark.full
async def test_a_rank_with_another_port_is_reported(tmp_path: Path) -> None:
    program = "if RANK == 2:\n    os.environ['MASTER_PORT'] = '1'\n" + TRAINS
    events = await ended(tmp_path, program, options=WatchOptions(join_notice=5.0, start_timeout=40.0))
    assert finish(events).outcome == "failed"
    assert "rank 2" in finish(events).cause or "rendezvous" in finish(events).cause


@pytest.mark.full
async def test_a_rendezvous_port_that_is_held_is_the_cause(tmp_path: Path) -> None:
    program = (
        "import socket\nif RANK == 0:\n"
        "    held = socket.create_server(('', int(os.environ['MASTER_PORT'])))\n" + TRAINS
    )
    events = await ended(tmp_path, program, options=WatchOptions(join_notice=5.0, start_timeout=60.0))
    assert "rank 0 (master)" in finish(events).cause
    assert "the rendezvous port is in use" in finish(events).cause


@pytest.mark.full
async def test_two_ranks_with_one_number_do_not_hang_for_ever(tmp_path: Path) -> None:
    program = "if RANK == 2:\n    os.environ['RANK'] = '1'\n" + TRAINS
    events = await ended(tmp_path, program, options=WatchOptions(join_notice=5.0, start_timeout=30.0))
    assert finish(events).outcome == "failed"


@pytest.mark.full
async def test_a_rank_that_hangs_is_named_with_its_line_and_ended_when_asked(tmp_path: Path) -> None:
    program = TRAINS + "def load():\n    time.sleep(1000)\nif RANK == 1:\n    load()\n" + STEPS
    options = WatchOptions(stall_notice=8.0, stall_timeout=12.0)
    events = await ended(tmp_path, program, options=options, limit=300)
    assert "rank 1 (node1) has been in program.py" in finish(events).cause
    assert "`load`" in finish(events).cause


@pytest.mark.full
async def test_a_peer_that_stays_silent_until_the_timeout_is_explained(tmp_path: Path) -> None:
    program = TRAINS + "if RANK == 1:\n    time.sleep(1000)\n" + STEPS
    events = await ended(tmp_path, program, limit=15)
    assert "did not answer for" in finish(events).cause or "was lost" in finish(events).cause


@pytest.mark.full
async def test_a_program_out_of_handles_is_explained(tmp_path: Path) -> None:
    program = (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "if RANK == 1:\n    kept = [open(__file__) for _ in range(100)]\nwait_for('never', 1000)\n"
    )
    events = await ended(tmp_path, program)
    assert "rank 1 (node1)" in finish(events).cause
    assert "as many open files" in finish(events).cause


@pytest.mark.full
async def test_a_late_rank_joins_and_nothing_is_reported(tmp_path: Path) -> None:
    program = (
        "if RANK == 1:\n    time.sleep(12)\n" + TRAINS + "dist.barrier()\ndist.destroy_process_group()\n"
    )
    events = await ended(tmp_path, program)
    assert finish(events).outcome == "succeeded"


@pytest.mark.full
async def test_a_killed_supervisor_is_told_from_a_killed_rank(tmp_path: Path) -> None:
    def kill_supervisor(pids: dict[int, int]) -> None:
        stat = Path(f"/proc/{pids[1]}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)

    events = await ended(tmp_path, TRAINS + STEPS, kill_supervisor)
    assert "the supervisor on node1 has ended unexpectedly: its supervisor was killed" in finish(events).cause


@pytest.mark.full
async def test_a_node_that_stays_away_is_lost_and_its_ranks_too(tmp_path: Path) -> None:
    async with Lab(2, root=tmp_path / "lab") as lab:
        fleet = prepare(lab, tmp_path, "say('up'); wait_for('never', 1000)")
        async with fleet, asyncio.timeout(200):
            _ = [event async for event in launch(fleet, plan_of(fleet.inventory))]
            options = WatchOptions(retry_first=0.05, retry_most=0.5, unreachable_limit=5.0)
            seen: list[Event] = []
            async for event in watch(fleet, "run-1", options):
                if isinstance(event, LogChunk) and event.rank == 2:
                    await lab.nodes[1].stop()
                seen.append(event)
            await lab.nodes[1].start()
            async with aclosing(stop(fleet, "run-1", grace=0.0, collect=False)) as stops:
                async for _event in stops:
                    pass
    assert finish(seen).outcome == "failed"
    assert finish(seen).cause.startswith("node2 is lost: out of reach for")
