"""Stopping a run: its ranks may save first, and are ended when they do not listen."""

from __future__ import annotations

from pathlib import Path

from agent.processes import identify
from fleet.events import (
    Notice,
    RankExited,
    RankStarted,
)
from fleet.runs import launch, stop
from tests.runs.fleets import (
    collect,
    finish,
    fleet_of,
    inventory,
    of,
    plan_of,
    rank_log,
    until,
)


async def test_a_stop_lets_the_ranks_save_and_reports_a_stopped_run(tmp_path: Path) -> None:
    program = """
say("up")
while not os.path.exists(os.environ["DTUI_STOP_FILE"]):
    time.sleep(0.01)
(HERE / f"saved-{RANK}").touch()
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=2))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await collect(stop(fleet, "run-1"))
    assert [path.name for path in sorted(tmp_path.glob("*/saved-*"))] == ["saved-1", "saved-2", "saved-0"]
    assert {event.code for event in of(events, RankExited)} == {0}
    assert finish(events).outcome == "stopped"
    assert {event.level for event in of(events, Notice)} == {"info"}


async def test_a_stop_that_cannot_be_written_ends_the_ranks_all_the_same(tmp_path: Path) -> None:
    """The disk may be full; here the program has put folders in the place of the files."""
    program = """
folder = HERE / ".dtui" / "runs" / "run-1"
(folder / "stop.json").mkdir()
say("planted")
time.sleep(100)
"""
    async with fleet_of(inventory(tmp_path, program, master=1)) as fleet:
        started = of(await collect(launch(fleet, plan_of(fleet.inventory))), RankStarted)
        await until(lambda: rank_log(fleet, "master", 0).read_bytes())
        events = await collect(stop(fleet, "run-1"))
    assert finish(events).outcome == "stopped"
    assert identify(started[0].pid) is None
    assert not [notice.text for notice in of(events, Notice) if notice.level == "error"]


async def test_a_stop_without_grace_ends_ranks_that_do_not_listen(tmp_path: Path) -> None:
    program = """
import signal
from contextlib import suppress
from msgspec.structs import replace
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], start_new_session=True)
say(child.pid)
time.sleep(100)
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        log = rank_log(fleet, "master", 0)
        await until(lambda: log.read_bytes().endswith(b"\n"))
        events = await collect(stop(fleet, "run-1", grace=0))
    assert finish(events).outcome == "stopped"
    assert identify(int(log.read_text())) is None, "a child in a session of its own is ended, too"
