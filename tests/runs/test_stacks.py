"""The stacks of a run's ranks on request, and observers' files that somebody else has written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.observer import report
from agent.wire.runs import RankStacks
from fleet.events import StacksRead
from fleet.link.client import Item
from fleet.runs import LaunchOptions, folded, last_collective, launch, read_stacks, run_stacks, stop
from tests.hostile.record.lying import LyingLink, compromise
from tests.runs.fleets import collect, fleet_of, inventory, of, plan_of, project, rank_log, until

WAITS = """
def load():
    say("waiting")
    wait_for("go", 100)
load()
"""


async def test_each_ranks_line_is_shown_and_equal_stacks_are_folded(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, WAITS, master=2, gpu1=1))
    plan = plan_of(fleet.inventory)
    async with fleet:
        await collect(launch(fleet, plan))
        logs = [project(fleet, node) / ".dtui/runs/run-1" / f"rank-{rank}.log" for node, rank in
                (("master", 0), ("master", 1), ("gpu1", 2))]  # fmt: skip
        await until(lambda: all(log.exists() and "waiting" in log.read_text() for log in logs))
        master, gpu1 = await run_stacks(fleet, plan)
        assert [one["rank"] for one in master.ranks] == [0, 1]
        assert {one["source"] for one in (*master.ranks, *gpu1.ranks)} == {"observer"}
        functions = [[frame["function"] for frame in frames] for _, frames in folded(master.ranks)]
        assert all(names[-3:] == ["wait_for", "load", "<module>"] for names in functions)
        await collect(stop(fleet, "run-1", grace=0.0))
        assert [node.ranks for node in await run_stacks(fleet, plan)] == [(), ()]


async def test_ranks_that_are_not_observed_are_listed_without_a_stack(tmp_path: Path) -> None:
    nodes = inventory(tmp_path, WAITS, master=1)
    fleet = fleet_of(replace(nodes, run=replace(nodes.run, observe=False)))
    plan = plan_of(fleet.inventory)
    async with fleet:
        await collect(launch(fleet, plan, LaunchOptions()))
        (master,) = await run_stacks(fleet, plan)
        assert [(one["rank"], one["source"], one["stacks"]) for one in master.ranks] == [(0, "none", [])]
        assert not (project(fleet, "master") / ".dtui/runs/run-1/observer").exists()
        await collect(stop(fleet, "run-1", grace=0.0))


def of_recorder(text: str | None) -> RankStacks:
    return {"rank": 0, "source": "observer", "stacks": [], "recorder": text}


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "{}", '{"entries": 1}', '{"entries": [{}]}', '{"entries": []}', "NaN", "[" * 5000],
)
def test_a_recorder_of_any_shape_is_read_or_left_out(text: str | None) -> None:
    assert last_collective(of_recorder(text)) is None


def test_the_newest_collective_counts() -> None:
    entries = [{"collective_seq_id": 3, "profiling_name": "gloo:all_reduce", "input_sizes": [[3]]},
               {"collective_seq_id": 1}]  # fmt: skip
    found = last_collective(of_recorder(json.dumps({"entries": entries})))
    assert found is not None
    assert (found.number, found.name, found.sizes) == (3, "gloo:all_reduce", "[[3]]")


REPORT = {
    "version": 1, "pid": 1, "at": 100.0, "since": 90.0, "phase": "joined", "collective": True, "store": "a:1",
    "frames": [{"file": "x.py", "line": 3, "function": "f"}],
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_report_is_read(tmp_path: Path) -> None:
    (tmp_path / "rank-0.json").write_text(json.dumps(REPORT))
    found = report.read(str(tmp_path), 0, 101.0)
    assert found is not None
    assert (found["phase"], found["since"], found["stuck"]) == ("joined", 90.0, False)
    assert report.read(str(tmp_path), 1, 101.0) is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.sampled_from(sorted(REPORT)), value=JSON)
def test_a_report_with_any_field_wrong_is_none_or_bounded(tmp_path: Path, key: str, value: object) -> None:
    (tmp_path / "rank-0.json").write_text(json.dumps({**REPORT, key: value}))
    found = report.read(str(tmp_path), 0, 101.0)
    assert found is None or len(found["frames"]) <= report.MAX_FRAMES


@pytest.mark.needs("posix")
def test_a_report_that_is_huge_or_not_a_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rank-0.json"
    frame = {"file": "x" * 5000, "line": 1, "function": "f" * 5000}
    path.write_text(json.dumps({**REPORT, "frames": [frame] * 20}))
    found = report.read(str(tmp_path), 0, 101.0)
    assert found is not None
    assert all(len(one["file"]) <= 300 and len(one["function"]) <= 300 for one in found["frames"])
    path.write_text(json.dumps({**REPORT, "frames": [frame] * 200}))
    assert report.read(str(tmp_path), 0, 101.0) is None
    path.unlink()
    os.mkfifo(path)
    assert report.read(str(tmp_path), 0, 101.0) is None
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert report.read(str(tmp_path), 0, 101.0) is None


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([{"rank": 0}], "stacks of rank 0"),
        ([{"rank": 1}, {"rank": 1}], "stacks of rank 1"),
        ([{"rank": 1, "source": "elsewhere"}], "source"),
        ([{"rank": 1, "stacks": [{"thread": 3}]}], "stacks"),
        ([{"rank": "1"}], "rank"),
    ],
)
async def test_a_node_that_lies_about_stacks_costs_its_own_answer_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: list[dict[str, object]], says: str
) -> None:
    honest = {"source": "observer", "stacks": [], "recorder": None}
    fleet = fleet_of(inventory(tmp_path, WAITS, master=1, gpu1=1))
    plan = plan_of(fleet.inventory)
    link = LyingLink(lambda name, args: [Item({**honest, **item}, b"") for item in items], {})
    async with fleet:
        await collect(launch(fleet, plan))
        compromise(monkeypatch, fleet, "gpu1", link)
        master, gpu1 = await run_stacks(fleet, plan)
        monkeypatch.undo()
        await collect(stop(fleet, "run-1", grace=0.0))
    assert [one["rank"] for one in master.ranks] == [0]
    assert gpu1.error is not None
    assert says in str(gpu1.error)


async def test_each_node_is_reported_as_it_answers_and_an_ended_run_has_what_was_saved(
    tmp_path: Path,
) -> None:
    fleet = fleet_of(inventory(tmp_path, WAITS, master=1, gpu1=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await until(lambda: b"waiting" in rank_log(fleet, "gpu1", 1).read_bytes())
        known = fleet.inventory
        fleet.inventory = replace(known, workers=())
        read = {event.node: event for event in of(await collect(read_stacks(fleet, "run-1")), StacksRead)}
        assert [one["rank"] for one in read["master"].ranks] == [0]
        assert "no longer in the inventory" in read["gpu1"].error
        fleet.inventory = known
        read = {event.node: event for event in of(await collect(read_stacks(fleet, "run-1")), StacksRead)}
        assert [[one["rank"] for one in read[node].ranks] for node in ("master", "gpu1")] == [[0], [1]]
        assert not any(event.saved for event in read.values())
        await collect(stop(fleet, "run-1", grace=0.0))
        assert await collect(read_stacks(fleet, "run-1")) == []

        path = fleet.home / "runs" / "run-1" / "stacks.json"
        path.write_text(json.dumps({"gpu1": read["gpu1"].ranks}), "utf-8")
        (saved,) = of(await collect(read_stacks(fleet, "run-1")), StacksRead)
        assert (saved.node, saved.ranks, saved.saved) == ("gpu1", read["gpu1"].ranks, True)
        for other in ("{", '{"gpu1": [{"rank": "x"}]}', "[" * 100_000, "\udcff"):
            path.write_text(other, "utf-8", "surrogateescape")
            (broken,) = of(await collect(read_stacks(fleet, "run-1")), StacksRead)
            assert "stacks.json" in broken.error
