"""A run's secrets reach the environments of its ranks, and nothing that stays."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.processes import identify
from agent.secrets import Reference
from agent.supervisor.folder import RunFolder, read_status, write
from agent.supervisor.spec import FORMAT
from agent.supervisor.supervise import Supervisor
from fleet.errors import FleetError
from fleet.event_json import to_json
from fleet.fleet import Fleet
from fleet.runs import LaunchOptions, launch, run_to_end
from fleet.runs.store import RunStore
from fleet.secrets import MASK, Secret
from tests.runs.fleets import SWIFT, collect, finish, fleet_of, inventory, output, plan_of, project, watched

VALUE = "hunter2-4f9c"
SECRETS = LaunchOptions(secrets={"WANDB_API_KEY": Secret(VALUE)})
SHOWS = "import hashlib; say(hashlib.sha256(os.environ['WANDB_API_KEY'].encode()).hexdigest())"


def made(tmp_path: Path, program: str = SHOWS, **processes: int) -> Fleet:
    plain = inventory(tmp_path, program, **(processes or {"master": 1, "node1": 2}))
    run = replace(plain.run, secrets=("WANDB_API_KEY",))
    return fleet_of(replace(plain, run=run))


def files_with(text: str, *roots: Path) -> list[Path]:
    return [
        path
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


async def test_every_rank_has_the_value_and_no_file_does(tmp_path: Path) -> None:
    expected = hashlib.sha256(VALUE.encode()).hexdigest().encode() + b"\n"
    async with made(tmp_path) as fleet:
        started = await collect(launch(fleet, plan_of(fleet.inventory), SECRETS))
        events = await watched(fleet)
    assert finish(events).outcome == "succeeded"
    assert [output(events, rank) for rank in range(3)] == [expected] * 3
    assert files_with(VALUE, tmp_path) == []
    assert not any(VALUE in to_json(event) for event in [*started, *events])
    specification = json.loads((project(fleet, "node1") / ".dtui/runs/run-1/spec.json").read_text())
    assert specification["secrets"]["names"] == ["WANDB_API_KEY"]
    assert not Path(specification["secrets"]["address"]).exists()


async def test_a_restart_has_the_values_too(tmp_path: Path) -> None:
    right = f"os.environ['WANDB_API_KEY'] == {VALUE!r}"
    program = f"sys.exit(0 if {right} and os.environ['DTUI_RUN_ID'].endswith('r1') else 3)"
    options = replace(SECRETS, max_restarts=1)
    async with made(tmp_path, program, master=1) as fleet:
        events = await collect(run_to_end(fleet, plan_of(fleet.inventory), options, SWIFT))
    assert [event.outcome for event in events if type(event).__name__ == "RunFinished"] == [
        "failed",
        "succeeded",
    ]


async def test_a_secret_without_a_value_stops_the_launch_before_anything_happens(tmp_path: Path) -> None:
    async with made(tmp_path) as fleet:
        with pytest.raises(FleetError, match="WANDB_API_KEY has no value"):
            await collect(launch(fleet, plan_of(fleet.inventory)))
        assert not (fleet.home / "runs").exists()


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ({"WANDB_API_KEY": Secret("")}, "is empty"),
        (
            {"WANDB_API_KEY": Secret(VALUE), "RANK": Secret(VALUE)},
            "is both a secret and an environment variable",
        ),
        ({"WANDB_API_KEY": Secret(VALUE + "\0")}, "contains a character"),
    ],
)
async def test_a_value_that_cannot_be_delivered_stops_it_too(
    secrets: dict[str, Secret], reason: str, tmp_path: Path
) -> None:
    async with made(tmp_path) as fleet:
        with pytest.raises(FleetError, match=reason) as caught:
            await collect(launch(fleet, plan_of(fleet.inventory), LaunchOptions(secrets=secrets)))
        assert VALUE not in str(caught.value)


async def test_a_folder_that_can_hold_no_socket_is_no_obstacle(tmp_path: Path) -> None:
    async with made(tmp_path, SHOWS, master=1) as fleet:
        (project(fleet, "master") / ".dtui" / "runs" / "run-1" / "secrets.sock").mkdir(parents=True)
        await collect(launch(fleet, plan_of(fleet.inventory), SECRETS))
        events = await watched(fleet)
    assert finish(events).outcome == "succeeded"


def test_a_supervisor_that_cannot_fetch_them_starts_nothing(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path), "run-1")
    Path(folder.path).mkdir(parents=True)
    gone = Reference(["WANDB_API_KEY"], str(tmp_path / "gone.sock"), b"n" * 32)
    rank = {"rank": 0, "local_rank": 0, "argv": ["touch", str(tmp_path / "started")], "env": {}}
    me = identify(os.getpid())
    assert me is not None
    specification = {
        "version": FORMAT,
        "run": "run-1",
        "node": "master",
        "interpreter": None,
        "grace": 1.0,
        "ranks": [rank],
        "secrets": gone.as_json(),
    }
    write(folder.spec, specification)
    Supervisor(folder, me).run()
    status = read_status(folder)
    assert status is not None
    assert status["state"] == "failed"
    assert "the secrets could not be fetched from the agent" in status["error"]["text"]
    assert not (tmp_path / "started").exists()


async def test_arguments_that_look_secret_are_masked_in_what_is_kept(tmp_path: Path) -> None:
    plain = inventory(tmp_path, f"sys.exit(sys.argv[1:3] != ['--api-key', {VALUE!r}])", master=1)
    run = replace(plain.run, args=("--api-key", VALUE, f"--token={VALUE}", "--steps=5"))
    async with fleet_of(replace(plain, run=run)) as fleet:
        events = await collect(launch(fleet, plan_of(fleet.inventory)))
        assert finish(await watched(fleet)).outcome == "succeeded"
    store = RunStore(fleet.home, "run-1")
    kept = store.plan().nodes[0].processes[0].argv
    assert kept[-4:] == ("--api-key", MASK, f"--token={MASK}", "--steps=5")
    assert not any(VALUE in to_json(event) for event in [*events, *store.events()])
