"""A run's recording: one console at a time, taken up by the next where the last one left it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.event_json import to_json
from fleet.events import LogChunk, MetricsSeen, Notice, RankStarted, RunFinished
from fleet.inventory import save_inventory
from fleet.runs import NoSuchRun, find_runs, launch, new_run_id, replay, watch
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
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
    watched,
)

#: A console that watches until it is killed.
CONSOLE = """
import asyncio, pathlib, sys
from tests.runs.fleets import SWIFT, fleet_of
from fleet.inventory import load_inventory
from fleet.runs import watch
async def main():
    async with fleet_of(load_inventory(pathlib.Path(sys.argv[1]))) as fleet:
        async for event in watch(fleet, "run-1", SWIFT, history=False):
            print(type(event).__name__, flush=True)
asyncio.run(main())
"""


def chunk(offset: int, data: bytes) -> LogChunk:
    return LogChunk(node="gpu1", run="run-1", rank=0, offset=offset, data=data)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "home", "run-1")
    store.create(plan_of(inventory(tmp_path, "", master=1)))
    return store


async def test_consoles_that_are_killed_leave_a_recording_without_gap_or_overlap(tmp_path: Path) -> None:
    program = """
for number in range(3000):
    say("line", number, "x" * 500)
    note(kind="step", step=number)
    if number in (100, 1000, 2000):
        wait_for(f"go-{number}")
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1))
    save_inventory(fleet.inventory, tmp_path / "nodes.yaml")
    root = Path(__file__).parents[2]
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        for gate in (100, 1000, 2000):
            console = subprocess.Popen(
                [sys.executable, "-c", CONSOLE, str(tmp_path / "nodes.yaml")],
                stdout=subprocess.PIPE,
                cwd=root,
            )
            assert console.stdout is not None
            for name in ("master", "gpu1"):
                (project(fleet, name) / f"go-{gate}").touch()
            for _ in range(10):
                assert await asyncio.to_thread(console.stdout.readline)
            console.kill()
            console.wait()
            console.stdout.close()
        events = await watched(fleet)
    for rank, name in enumerate(("master", "gpu1")):
        assert output(events, rank) == rank_log(fleet, name, rank).read_bytes()
        assert [e.record.step for e in of(events, MetricsSeen) if e.rank == rank] == list(range(3000))
    assert len(of(events, RankStarted)) == 2
    assert finish(events).outcome == "succeeded"
    assert list(replay(fleet.home / "runs" / "run-1" / "events.jsonl")) == events


def test_a_torn_last_line_is_neither_replayed_nor_kept(store: RunStore) -> None:
    with Recorder(store) as recorder:
        recorder.write(chunk(0, b"whole"))
    with store.events_file.open("ab") as file:
        file.write(to_json(chunk(5, b"torn" * 40_000)).encode()[:150_000])
    assert list(store.events()) == [chunk(0, b"whole")]
    started = RankStarted(run="run-1", rank=0, pid=7)
    with Recorder(store) as recorder:
        recorder.write(started)
    assert list(store.events()) == [chunk(0, b"whole"), started]


def test_one_records_and_a_second_does_not(store: RunStore) -> None:
    with Recorder(store) as first, Recorder(store) as second:
        assert (first.recording, second.recording) == (True, False)
        second.write(chunk(0, b"not kept"))
        first.write(chunk(0, b"kept"))
    assert list(store.events()) == [chunk(0, b"kept")]
    with Recorder(store) as third:
        assert third.recording, "the lock goes with its holder"


def test_a_line_that_is_no_event_becomes_a_notice_in_its_place(store: RunStore) -> None:
    lines = [to_json(chunk(0, b"a")), '{"event": "FromTheFuture"}', to_json(chunk(1, b"b"))]
    store.events_file.write_text("\n".join(lines) + "\n")
    first, middle, last = store.events()
    assert (first, last) == (chunk(0, b"a"), chunk(1, b"b"))
    assert isinstance(middle, Notice)
    assert middle.text.startswith("events.jsonl, line 2: not an event")


FULL_DISK = """
import os, pathlib, resource, sys
from fleet.events import LogChunk, Notice, RankStarted
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
store = RunStore(pathlib.Path(sys.argv[1]), "run-1")
def output(n): return LogChunk(run="run-1", rank=0, offset=n * 1000, data=os.urandom(1000))
def lifecycle(n): return RankStarted(run="run-1", rank=n, pid=1, node="n" * 1000)
make, kept = {"output": (output, 4), "lifecycle": (lifecycle, 4)}[sys.argv[2]]
from fleet.runs.record.limits import RecordLimits
with Recorder(store, RecordLimits(flush=0.0)) as recorder:
    told = [recorder.write(make(n)) for n in range(8)]
whole = [event for event in store.events() if isinstance(event, (LogChunk, RankStarted))]
assert len(whole) == kept, len(whole)
assert store.events_file.read_bytes().endswith(b"\\n")
(notice,) = [one for one in told if one]
assert isinstance(notice, Notice) and "no longer recorded" in notice.text
print("ok")
"""


@pytest.mark.parametrize("kind", ["output", "lifecycle"])
def test_a_full_disk_ends_the_recording_with_a_notice_and_whole_lines(store: RunStore, kind: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(store.home), kind],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.stdout, answer.stderr) == ("ok\n", "")


def test_runs_are_found_in_the_order_of_their_launch(tmp_path: Path) -> None:
    times = iter([1_700_000_000.0, 1_700_000_001.0, 1_800_000_000.0])
    plan = plan_of(inventory(tmp_path, "", master=1))
    ids = [new_run_id(lambda: next(times)) for _ in range(3)]
    for run in reversed(ids):
        RunStore(tmp_path, run).create(plan)
    (tmp_path / "runs" / "not-a-run").mkdir()
    end = RunFinished(run=ids[1], outcome="succeeded")
    with Recorder(RunStore(tmp_path, ids[1])) as recorder:
        recorder.write(chunk(0, b"x" * 100_000))
        recorder.write(end)
    found = find_runs(tmp_path)
    assert [summary.run for summary in found] == ids == sorted(ids)
    assert ids[0].startswith("20231114-221320-")
    assert [summary.finished for summary in found] == [None, end, None]
    assert found[0].plan == plan


def test_an_id_is_used_once_and_an_unknown_one_is_told(store: RunStore) -> None:
    with pytest.raises(FleetError, match="run run-1 already exists"):
        store.create(store.plan())
    with pytest.raises(NoSuchRun, match="no run 'run-2' was started"):
        RunStore(store.home, "run-2").plan()


async def test_watching_an_unknown_run_says_so(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, "", master=1)) as fleet:
        with pytest.raises(NoSuchRun):
            await collect(watch(fleet, "run-9", SWIFT))
