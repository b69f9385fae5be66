"""A run over real SSH nodes whose connections break."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil

from fleet.events import LinkChanged, RankExited
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from fleet.runs import launch, stop, watch
from lab.lab import Lab
from tests.runs.fleets import DEADLINE, PRELUDE, SWIFT, collect, finish, of, output, plan_of, until

PROGRAM = """
for number in range(300):
    say("line", number, "x" * 3000)
    if number == 150:
        wait_for("go")
"""


def prepare(lab: Lab, tmp_path: Path, program: str) -> tuple[Fleet, dict[str, Path]]:
    """Put the program on the master and on every node, as a deploy would."""
    inventory = lab.inventory(
        tmp_path / "project", run=RunSettings(module=None, script="program.py", config=None)
    )
    folders = {"master": inventory.project}
    for node in lab.nodes:
        folders[node.name] = node.home.folder / inventory.workers[0].project.removeprefix("~/")
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "program.py").write_text(PRELUDE + program, encoding="utf-8")
    lab.trust(inventory.project / ".dtui" / "known_hosts")
    return Fleet(inventory, home=inventory.project / ".dtui", prompts=lab.prompts), folders


async def test_connections_that_drop_in_mid_log_cost_no_byte(tmp_path: Path) -> None:
    async with Lab(2, root=tmp_path / "lab") as lab:
        fleet, folders = prepare(lab, tmp_path, PROGRAM)
        async with fleet:
            await collect(launch(fleet, plan_of(fleet.inventory)))
            events = []
            cuts = 0
            async with asyncio.timeout(DEADLINE):
                async for event in watch(fleet, "run-1", SWIFT):
                    events.append(event)
                    if len(events) % 20 == 0 and cuts < 4:
                        cuts += 1
                        lab.nodes[cuts % 2].drop_connections()
                        for folder in folders.values():
                            (folder / "go").touch()
        for rank, folder in enumerate(folders.values()):
            log = folder / ".dtui" / "runs" / "run-1" / f"rank-{rank}.log"
            assert output(events, rank) == log.read_bytes()
        assert any(event.state == "lost" for event in of(events, LinkChanged))
        assert finish(events).outcome == "succeeded"


async def test_a_run_outlives_its_ssh_sessions_and_can_be_stopped_later(tmp_path: Path) -> None:
    async with Lab(1, root=tmp_path / "lab") as lab:
        fleet, folders = prepare(lab, tmp_path, "say('up'); wait_for('go'); say('later'); time.sleep(100)")
        async with fleet:
            await collect(launch(fleet, plan_of(fleet.inventory)))
        await lab.nodes[0].stop()
        for folder in folders.values():
            (folder / "go").touch()
        log = folders["node1"] / ".dtui" / "runs" / "run-1" / "rank-1.log"
        await until(lambda: log.read_bytes() == b"up\nlater\n")
        await lab.nodes[0].start()
        async with Fleet(fleet.inventory, home=fleet.home, prompts=lab.prompts) as later:
            events = await collect(stop(later, "run-1", grace=0))
        assert finish(events).outcome == "stopped"
        assert output(events, 1) == b"up\nlater\n"
        assert {event.rank for event in of(events, RankExited) if event.stopped} == {0, 1}


async def test_the_masters_rank_does_not_wait_for_a_lab_that_is_gone(tmp_path: Path) -> None:
    program = "(HERE / f'pid{RANK}').write_text(str(os.getpid())); say('up'); wait_for('never', 1000)"
    async with Lab(1, root=tmp_path / "lab") as lab:
        fleet, folders = prepare(lab, tmp_path, program)
        async with fleet:
            await collect(launch(fleet, plan_of(fleet.inventory)))
        log = folders["master"] / ".dtui" / "runs" / "run-1" / "rank-0.log"
        await until(lambda: log.exists() and log.read_bytes() == b"up\n")
        rank = int((folders["master"] / "pid0").read_text())
        assert psutil.pid_exists(rank)
    await until(lambda: not psutil.pid_exists(rank))
