"""Stopping a run: its ranks may save first, and are ended when they do not listen."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from agent.processes import identify
from agent.wire.message import Message
from fleet.errors import NotConnected
from fleet.events import (
    Notice,
    RankExited,
    RankStarted,
    RunFinished,
)
from fleet.fleet import Fleet
from fleet.runs import launch, stop
from fleet.runs.asking import answering_link
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
from tests.support.sshd import OpenSshServer
from transports.base import Channel, Endpoint, NoPrompts, Prompts, Transport
from transports.errors import AuthenticationFailed
from tui.cli.exits import FAILED
from tui.cli.session import Tally


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


async def test_dead_nodes_are_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    """The SSH server of one node is gone, that of another accepts connections and never answers."""
    nodes = inventory(tmp_path, "say('up'); wait_for('never', 1000)", master=1, gone=1, frozen=1, well=1)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(OpenSshServer(tmp_path / f"sshd-{name}"))
                   for name in ("gone", "frozen", "well")}  # fmt: skip
        (tmp_path / "master" / ".dtui").mkdir(mode=0o700)
        known_hosts = "\n".join(server.known_hosts_line() for server in servers.values()) + "\n"
        (tmp_path / "master" / ".dtui" / "known_hosts").write_text(known_hosts)
        workers = tuple(
            replace(worker, address=server.host, port=server.port, transport="ssh", user=server.user,
                    identity=server.identity)
            for worker, server in zip(nodes.workers, servers.values(), strict=True)
        )  # fmt: skip
        nodes = replace(nodes, workers=workers)
        async with fleet_of(nodes) as fleet:
            await collect(launch(fleet, plan_of(nodes)))
        logs = [rank_log(fleet, node, rank) for rank, node in enumerate(["master", "gone", "frozen", "well"])]
        await until(lambda: all(log.exists() and log.read_bytes() == b"up\n" for log in logs))
        os.kill(servers["gone"].pid, signal.SIGKILL)
        os.kill(servers["frozen"].pid, signal.SIGSTOP)
        try:
            tally = Tally()
            async with fleet_of(nodes) as fleet:
                events = await collect(stop(fleet, "run-1", grace=0))
            for event in events:
                tally.count(event)
        finally:
            os.kill(servers["frozen"].pid, signal.SIGCONT)
        notices = {notice.node: notice for notice in of(events, Notice)}
        assert len(of(events, Notice)) == 4, "each node is named once"
        assert {name: notice.level for name, notice in notices.items()} == {
            "master": "info", "well": "info", "gone": "error", "frozen": "error",
        }  # fmt: skip
        for name in ("gone", "frozen"):
            assert "not stopped, its ranks may still be running" in notices[name].text
            assert (
                f"when {name} answers again, run `dtui stop run-1`, and `dtui sweep`" in notices[name].remedy
            )
        assert tally.status == FAILED
        assert {event.rank for event in of(events, RankExited) if event.stopped} == {0, 3}
        assert isinstance(events[-1], RunFinished)

        async with fleet_of(nodes) as fleet:
            later = of(await collect(stop(fleet, "run-1", grace=0)), Notice)
        assert {notice.node: notice.level for notice in later}["frozen"] == "info", "it answers again"


async def test_an_open_link_counts_only_while_the_node_answers(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, "", master=1)) as fleet:
        master = fleet.inventory.master
        link = await answering_link(fleet, master, 60.0)
        assert link.hello is not None
        agent = psutil.Process(link.hello.pid)
        agent.suspend()
        try:
            with pytest.raises(NotConnected, match="no answer within"):
                await answering_link(fleet, master, 0.3)
        finally:
            agent.resume()
        assert await answering_link(fleet, master, 60.0) is link


class Asking(Transport):
    """Asks for a password, and fails with the answer."""

    async def connect(self) -> None:
        answer = await self.prompts.password(self.endpoint, Message("password"))
        raise AuthenticationFailed(Message(f"answered {answer}"), where="gpu1")

    async def open(self, argv: Sequence[str]) -> Channel:
        raise AssertionError("not reached")

    async def close(self) -> None:
        pass


class SlowUser(NoPrompts):
    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        asked = time.monotonic()
        await until(lambda: time.monotonic() > asked + 2.5)
        return "later"


async def test_the_time_of_a_question_does_not_count(tmp_path: Path) -> None:
    def opened(name: str, endpoint: Endpoint, *, known_hosts: Path, prompts: Prompts) -> Transport:
        return Asking(endpoint, prompts)

    nodes = inventory(tmp_path, "", master=1)
    fleet = Fleet(nodes, home=tmp_path / "home", prompts=SlowUser(), transports=opened)
    with pytest.raises(NotConnected, match="answered later"):
        await answering_link(fleet, nodes.master, 2.0)
