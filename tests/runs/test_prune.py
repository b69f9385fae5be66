"""Deleting old runs everywhere: only what has ended, only below ``.dtui/runs``, one node at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.wire.message import NO_MESSAGE
from agent.wire.operations import PRUNE
from agent.wire.runs import PruneArgs, RunOnNode
from fleet.errors import OperationFailed
from fleet.events import RunFinished, RunPlanned
from fleet.fleet import Fleet
from fleet.inventory import Inventory, save_inventory
from fleet.runs import find_runs, launch, stop
from fleet.runs.prune import prune, survey
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
from lab.lab import Lab
from tests.hostile.record.lying import LyingLink, compromise
from tests.runs.fleets import collect, fleet_of, inventory, plan_of, project, rank_log, until, watched
from tests.runs.test_over_ssh import prepare

DONE = "say('x' * 5000); (HERE / 'checkpoints').mkdir(exist_ok=True); (HERE / 'checkpoints' / 'c').touch()"


async def trained(fleet: Fleet, *runs: str) -> None:
    for run in runs:
        await collect(launch(fleet, plan_of(fleet.inventory, run)))
        await watched(fleet, run)


def folders(fleet: Fleet, run: str) -> list[str]:
    nodes = [node.name for node in fleet.nodes]
    return [name for name in nodes if (project(fleet, name) / ".dtui" / "runs" / run).exists()]


async def asked(fleet: Fleet, node: str, **args: Any) -> list[RunOnNode]:
    link = await fleet.link(fleet.inventory.node(node))
    answer = await link.call(PRUNE, PruneArgs(project=str(project(fleet, node)), **args))
    return list(answer["runs"])


async def test_a_run_is_deleted_on_all_nodes_and_here_and_nothing_else(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, DONE, master=1, gpu1=1)) as fleet:
        await trained(fleet, "run-1", "run-2")
        first, _ = find_runs(fleet.home)
        found = await survey(fleet, [first])
        assert [space.node for space in found.nodes] == ["master", "gpu1"]
        assert all(space.size > 5000 for space in found.nodes)
        assert folders(fleet, "run-1") == ["master", "gpu1"], "a survey changes nothing"
        done = await prune(fleet, found.runs)
        assert (done.removed, done.kept) == (("run-1",), ())
        assert [space.size > 5000 for space in done.nodes] == [True, True]
        assert folders(fleet, "run-1") == []
        assert folders(fleet, "run-2") == ["master", "gpu1"]
        assert [summary.run for summary in find_runs(fleet.home)] == ["run-2"]
        for name in ("master", "gpu1"):
            assert (project(fleet, name) / "checkpoints" / "c").exists()
            assert (project(fleet, name) / "program.py").exists()


async def test_what_a_program_put_in_the_place_of_its_run_is_deleted_with_the_run(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, DONE, gpu1=1)) as fleet:
        await trained(fleet, "run-1", "run-1-5")
        own = project(fleet, "gpu1") / ".dtui"
        for name in ("displaced-run-1-17", "displaced-run-1-5-17", "displaced-run-1-x"):
            (own / name).mkdir()
            (own / name / "status.json").write_text("x" * 9000)
        found = await survey(fleet, [run for run in find_runs(fleet.home) if run.run == "run-1"])
        assert found.nodes[-1].size > 14000
        assert (await prune(fleet, found.runs)).removed == ("run-1",)
        assert {path.name for path in own.glob("displaced-*")} == {
            "displaced-run-1-5-17",
            "displaced-run-1-x",
        }


async def test_a_run_that_has_not_ended_on_one_node_is_deleted_on_none(tmp_path: Path) -> None:
    program = "RANK and wait_for('go', 100)"
    async with fleet_of(inventory(tmp_path, program, master=1, gpu1=1)) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        status = project(fleet, "master") / ".dtui" / "runs" / "run-1" / "status.json"
        await until(lambda: json.loads(status.read_text())["state"] == "succeeded")
        found = await survey(fleet, find_runs(fleet.home))
        assert found.runs == ()
        (refused,) = found.refused
        assert (refused.run, refused.node, refused.reason) == ("run-1", "gpu1", "it is still running")
        assert refused.remedy == "stop the run first: `dtui stop run-1`"
        # And a node refuses by itself, whatever it is asked.
        (answer,) = await asked(fleet, "gpu1", runs=["run-1"], delete=True)
        assert answer["state"] == "active"
        assert folders(fleet, "run-1") == ["master", "gpu1"]
        done = await prune(fleet, find_runs(fleet.home))
        assert [(kept.node, kept.reason) for kept in done.kept] == [("gpu1", "it is still running")]
        assert rank_log(fleet, "gpu1", 1).exists()
        assert find_runs(fleet.home), "its record stays, so that it can be named again"
        await collect(stop(fleet, "run-1", grace=0))
        assert (await prune(fleet, find_runs(fleet.home))).removed == ("run-1",)
        assert folders(fleet, "run-1") == []


@pytest.mark.parametrize("run", ["..", "../..", "a/b", "", ".", "/etc", "run-1/../../deployed.json"])
async def test_a_name_that_leads_out_of_the_runs_deletes_nothing(tmp_path: Path, run: str) -> None:
    async with fleet_of(inventory(tmp_path, "", master=1)) as fleet:
        (project(fleet, "master") / ".dtui" / "runs" / "run-1").mkdir(parents=True)
        with pytest.raises(OperationFailed) as raised:
            await asked(fleet, "master", runs=["run-1", run], delete=True)
        assert raised.value.code == "path"
        assert (project(fleet, "master") / ".dtui" / "runs" / "run-1").exists(), (
            "all names are looked at first"
        )


@pytest.mark.needs("posix")  # links need a privilege on Windows
@pytest.mark.parametrize("linked", [".dtui", ".dtui/runs", ".dtui/runs/run-1"])
async def test_no_link_is_followed(tmp_path: Path, linked: str) -> None:
    victim = tmp_path / "victim"
    (victim / "run-1").mkdir(parents=True)
    (victim / "runs" / "run-1").mkdir(parents=True)
    (victim / "run-1" / "precious").touch()
    async with fleet_of(inventory(tmp_path, "", master=1)) as fleet:
        place = project(fleet, "master") / linked
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(victim)
        try:
            (answer,) = await asked(fleet, "master", runs=["run-1"], delete=True)
        except OperationFailed as error:
            assert "a link to another place" in error.what
        else:
            assert (answer["state"], "a link to another place" in answer["reason"]["text"]) == (
                "failed",
                True,
            )
        assert (victim / "run-1" / "precious").exists()


@pytest.mark.needs("posix")  # links need a privilege on Windows
async def test_a_link_inside_a_run_is_deleted_and_not_what_it_leads_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("x" * 10_000)
    async with fleet_of(inventory(tmp_path, "", master=1)) as fleet:
        folder = project(fleet, "master") / ".dtui" / "runs" / "run-1"
        folder.mkdir(parents=True)
        (folder / "link").symlink_to(victim)
        (answer,) = await asked(fleet, "master", runs=["run-1"], delete=True)
        assert answer["state"] == "removed"
        assert answer["bytes"] < 10_000
        assert not folder.exists()
    assert (victim / "precious").exists()


async def test_a_node_that_does_not_answer_stops_no_other_and_keeps_the_record(tmp_path: Path) -> None:
    async with Lab(2, root=tmp_path / "lab") as lab:
        fleet, places = prepare(lab, tmp_path, "say('up')")
        async with fleet:
            await trained(fleet, "run-1")
        await lab.nodes[0].stop()
        async with Fleet(fleet.inventory, home=fleet.home, prompts=lab.prompts) as later:
            found = await survey(later, find_runs(fleet.home))
            assert {space.node: space.error is None for space in found.nodes} == {
                "master": True, "node1": False, "node2": True,
            }  # fmt: skip
            done = await prune(later, found.runs)
            assert done.removed == ()
            assert {kept.node for kept in done.kept} == {"node1"}
            there = [name for name, place in places.items() if (place / ".dtui" / "runs" / "run-1").exists()]
            assert there == ["master", "node1"], "the record stays until no node has the run"
        await lab.nodes[0].start()
        async with Fleet(fleet.inventory, home=fleet.home, prompts=lab.prompts) as later:
            done = await prune(later, find_runs(fleet.home))
            assert done.removed == ("run-1",)
        assert not any((place / ".dtui" / "runs" / "run-1").exists() for place in places.values())


async def test_a_project_below_an_unknown_user_s_home_is_not_the_master_s(tmp_path: Path) -> None:
    made = inventory(tmp_path, "", master=1, gpu1=1)
    elsewhere = replace(made.workers[0], project="~no-such-user-here/project")
    async with fleet_of(made.with_workers((elsewhere,))) as fleet:
        RunStore(fleet.home, "run-1").create(plan_of(fleet.inventory))
        done = await prune(fleet, find_runs(fleet.home))
    assert (done.removed, done.kept) == (("run-1",), ())


def ended_runs(tmp_path: Path, ages: dict[str, float]) -> Inventory:
    """A project whose runs, without any process, ended so many days ago."""
    import time

    made = inventory(tmp_path, "", master=1)
    for run, days in ages.items():
        store = RunStore(made.project / ".dtui", run)
        store.create(plan_of(made, run))
        end = time.time() - days * 86400
        with Recorder(store) as recorder:
            recorder.write(
                RunPlanned(at=end - 90, run=run, world_size=1, master_address="", master_port=1, ranks=())
            )
            recorder.write(RunFinished(at=end, run=run, outcome="succeeded"))
    (made.project / "configs").mkdir()
    save_inventory(made, made.project / "configs" / "nodes.yaml")
    return made


def dtui(made: Inventory, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", "runs", *words],
        cwd=made.project, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_command_lists_and_deletes(tmp_path: Path) -> None:
    made = ended_runs(tmp_path, {"a": 90, "b": 40, "c": 1})
    listed = dtui(made)
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["RUN", "a", "b", "c"]
    assert "1 min 30 s" in listed.stdout
    told = json.loads(dtui(made, "--json", "--nodes").stdout)
    assert [row["outcome"] for row in told["runs"]] == ["succeeded"] * 3
    assert all(row["bytes"] > 0 for row in told["runs"])
    # The lock file has the pid of the process that locked it last, and pids differ in length.
    assert all(abs(row["nodes"]["master"] - row["bytes"]) < 10 for row in told["runs"])

    refused = dtui(made, "--prune", "--older-than", "30d")
    assert (refused.returncode, "add --yes" in refused.stderr) == (2, True)
    assert dtui(made, "--prune").returncode == 2
    assert dtui(made, "--prune", "--keep", "1", "a", "--yes").returncode == 2
    assert dtui(made, "--prune", "nothing", "--yes").returncode == 2
    assert dtui(made, "--yes").returncode == 2
    assert len(find_runs(made.project / ".dtui")) == 3

    pruned = dtui(made, "--prune", "--older-than", "60d", "--yes", "--json")
    assert pruned.returncode == 0, pruned.stderr
    assert json.loads(pruned.stdout)["removed"] == ["a"]
    assert "1 run deleted" in pruned.stderr
    assert "checkpoints/ and logs/ of the project are not deleted" in pruned.stderr
    korean = dtui(made, "--prune", "--keep", "1", "--yes", "--lang", "ko")
    assert korean.returncode == 0, korean.stderr
    assert "deleted" not in korean.stderr
    assert [run.run for run in find_runs(made.project / ".dtui")] == ["c"]
    assert "No run to delete" in dtui(made, "--prune", "--keep", "1").stderr


def test_a_run_that_a_console_watches_is_not_deleted(tmp_path: Path) -> None:
    made = ended_runs(tmp_path, {"a": 90})
    with Recorder(RunStore(made.project / ".dtui", "a")):
        kept = dtui(made, "--prune", "a", "--yes")
    assert kept.returncode == 1
    assert "run a is not deleted: another dtui on this machine is recording it" in kept.stderr
    assert find_runs(made.project / ".dtui")


async def test_a_lying_node_is_that_node_s_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_of(inventory(tmp_path, "", master=1, gpu1=1)) as fleet:
        await trained(fleet, "run-1")
        for answer in LIES:
            compromise(monkeypatch, fleet, "gpu1", LyingLink(lambda op, args: [], answer))
            found = await survey(fleet, find_runs(fleet.home))
            errors = {space.node: space.error is not None for space in found.nodes}
            assert errors == {"master": False, "gpu1": True}, answer
            monkeypatch.undo()


LIES: list[Any] = [
    None, [], "x", {"runs": 7}, {"runs": [7]}, {"runs": [{"run": "run-1"}]}, {"runs": []},
    {"runs": [{"run": "other", "bytes": 1, "state": "idle", "reason": NO_MESSAGE}]},
    {"runs": [{"run": "run-1", "bytes": -1, "state": "idle", "reason": NO_MESSAGE}]},
    {"runs": [{"run": "run-1", "bytes": "1", "state": "idle", "reason": NO_MESSAGE}]},
    {"runs": [{"run": "run-1", "bytes": 1, "state": {}, "reason": NO_MESSAGE}]},
    {"runs": [{"run": "run-1", "bytes": 1, "state": "gone", "reason": NO_MESSAGE}]},
    RuntimeError("anything"),
]  # fmt: skip
