"""A program that moves, replaces or forges the files of its own run does not hide from status and stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.operations.stop import end_run
from agent.processes import identify
from agent.supervisor.folder import RunFolder
from agent.supervisor.folder_monitor import FolderLostError, FolderMonitor
from agent.wire.operations import STATUS
from agent.wire.runs import StatusArgs
from fleet.events import RankStarted
from fleet.fleet import Fleet
from fleet.runs import launch, stop
from tests.runs.fleets import collect, finish, fleet_of, inventory, of, plan_of, project, until

pytestmark = pytest.mark.needs("posix")

FORGED_FOLDER = """
forged = HERE / "forged"
forged.mkdir()
for name in ("spec.json", "owner", "supervisor.json"):
    shutil.copy(folder / name, forged / name)
status = json.loads((folder / "status.json").read_text())
(forged / "status.json").write_text(json.dumps({{**status, "state": "{state}", "ranks": {ranks}}}))
os.rename(folder, HERE / "gone")
os.rename(forged, folder)
"""
#: What a program does to its own run. Each ends with a running program.
HIDE = {
    "renamed": "os.rename(folder, folder.with_name('gone'))",
    "moved out of the project": "os.rename(folder, HERE / 'gone')",
    "removed": "remove()",
    "a link in its place": "os.rename(folder, HERE / 'gone'); folder.symlink_to('/tmp')",
    "a file in its place": "replace_by_file()",
    "another folder in its place": FORGED_FOLDER.format(state="running", ranks="status['ranks']"),
    "an ended run in its place": FORGED_FOLDER.format(state="succeeded", ranks="[]"),
    "all runs renamed": "os.rename(folder.parent, HERE / 'gone')",
    "all of dtui renamed": "os.rename(folder.parent.parent, HERE / 'gone')",
}
#: The master keeps its record of the run in its own folder, so that its rank leaves that alone.
ON_MASTER = """
if os.environ["DTUI_NODE"] == "master":
    while True:
        time.sleep(0.1)
"""
PROGRAM = """
import shutil
folder = pathlib.Path(os.environ["DTUI_STOP_FILE"]).parent

def remove():
    # The supervisor may write into it, and put it back, in the meantime.
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)

def replace_by_file():
    while not folder.is_file():
        remove()
        try:
            folder.write_text("x")
        except OSError:
            pass

while json.loads((folder / "status.json").read_text())["state"] != "running":
    time.sleep(0.01)
{hide}
(HERE / "hidden").touch()
while True:
    time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield
    for node in ("master", "gpu1"):
        end_run(RunFolder(str(tmp_path / node), "run-1"), grace=0.0)


async def states(fleet: Fleet, run: str = "run-1") -> list[tuple[str, int]]:
    node = fleet.inventory.node("gpu1")
    link = await fleet.link(node)
    found = await link.call(STATUS, StatusArgs(project=node.project, node=node.name))
    return [(one["state"], len(one["ranks"])) for one in found["runs"] if one["run"] == run]


@pytest.mark.parametrize("way", HIDE)
async def test_a_run_is_shown_and_stopped_whatever_its_program_does_to_its_folder(
    way: str, tmp_path: Path
) -> None:
    described = inventory(tmp_path, ON_MASTER + PROGRAM.format(hide=HIDE[way]), master=1, gpu1=1)
    async with fleet_of(described) as fleet:
        started = of(await collect(launch(fleet, plan_of(described))), RankStarted)
        await until((project(fleet, "gpu1") / "hidden").exists)
        async with asyncio.timeout(300):
            while await states(fleet) != [("running", 1)]:
                await asyncio.sleep(0.1)
        events = await collect(stop(fleet, "run-1", grace=0))
        assert [one for one in started if identify(one.pid) is not None] == []
        assert finish(events).outcome == "stopped"
        async with asyncio.timeout(300):
            while await states(fleet) != [("stopped", 1)]:
                await asyncio.sleep(0.1)


FORGE = """
path = pathlib.Path(os.environ["DTUI_STOP_FILE"]).parent / "status.json"
while (status := json.loads(path.read_text()))["state"] != "running":
    time.sleep(0.01)
forged = json.dumps({**status, "state": "succeeded", "ranks": []})
(HERE / "hidden").touch()
while True:
    fresh = path.with_name("forged")
    fresh.write_text(forged)
    os.replace(fresh, path)
"""


async def test_a_program_that_forges_its_status_is_ended_by_a_stop(tmp_path: Path) -> None:
    described = inventory(tmp_path, ON_MASTER + FORGE, master=1, gpu1=1)
    async with fleet_of(described) as fleet:
        started = of(await collect(launch(fleet, plan_of(described))), RankStarted)
        await until((project(fleet, "gpu1") / "hidden").exists)
        await collect(stop(fleet, "run-1", grace=0))
        assert [one for one in started if identify(one.pid) is not None] == []


def test_a_folder_that_cannot_be_put_back_ends_the_run(tmp_path: Path) -> None:
    """Whatever is in the way of ``.dtui`` itself stays; a run that nobody could stop does not."""
    times = iter(range(0, 1000, 2))
    me = identify(os.getpid())
    assert me is not None
    folder = RunFolder(str(tmp_path), "run-1")
    folder.create()
    monitor = FolderMonitor(folder, me, clock=lambda: float(next(times)), limit=10.0)
    spec = {"node": "gpu1"}
    assert monitor.check(spec) is None  # type: ignore[arg-type] -- a part of it will do
    (tmp_path / ".dtui").rename(tmp_path / "gone")
    (tmp_path / ".dtui").write_text("in the way")
    for _ in range(2):
        assert monitor.check(spec) is None  # type: ignore[arg-type]
    with pytest.raises(FolderLostError, match="its folder was replaced"):
        monitor.check(spec)  # type: ignore[arg-type]
    assert (tmp_path / ".dtui").read_text() == "in the way"
    (tmp_path / ".dtui").unlink()
    happened = monitor.check(spec)  # type: ignore[arg-type]
    assert happened is not None
    assert "put back" in happened
