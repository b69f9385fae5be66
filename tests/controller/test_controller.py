"""The run controller keeps a run whether its console lives or not, and gives nothing to strangers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.processes import identify
from fleet.controller.address import Address, connect, read_address
from fleet.controller.client import ControllerKeeper
from fleet.controller.server import Controller
from fleet.controller.wire import (
    Connection,
    Hello,
    Prepare,
    Ready,
    Refused,
    Welcome,
    WireError,
    decoded_line,
    encoded_line,
)
from fleet.events import Notice, RunFinished
from fleet.fleet import Fleet
from fleet.runs import LaunchOptions, RunStore, WatchOptions, run_to_end
from fleet.runs.keeper import NotKeptError
from fleet.runs.restart import follow, launch_and_leave
from lab.lab import Lab
from tests.runs.fleets import DEADLINE, collect, finish, fleet_of, inventory, of, plan_of, project, until
from transports.base import Endpoint
from tui.operations.run_controller import GivenPasswords

pytestmark = pytest.mark.needs("posix")

COMMAND = (sys.executable, "-P", "-m", "tui.operations.run_controller")
FAILS_ONCE = """
attempt = int(os.environ['TORCHELASTIC_RESTART_COUNT'])
say('attempt', attempt)
wait_for('go')
sys.exit(0 if attempt else 3)
"""


def keeper(as_version: str = "") -> ControllerKeeper:
    """Hands runs over to a controller of the installed version, unless another one is named."""
    return ControllerKeeper(lambda home: (*COMMAND, str(home)), as_version or version("dtui"))


async def recorded_end(fleet: Fleet, run: str) -> RunFinished:
    store = RunStore(fleet.home, run)
    await until(lambda: store.finished() is not None)
    found = store.finished()
    assert found is not None
    return found


def go(fleet: Fleet) -> None:
    for node in fleet.nodes:
        (project(fleet, node.name) / "go").touch()


async def test_a_run_whose_console_has_gone_is_restarted_and_recorded(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, FAILS_ONCE, master=1, gpu1=1)) as fleet:
        run = run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=2), keeper=keeper())
        async with asyncio.timeout(DEADLINE):
            async for event in run:
                if "attempt 0" in str(getattr(event, "data", "")):
                    break
        await run.aclose()
    go(fleet)
    assert (await recorded_end(fleet, "run-1")).outcome == "failed"
    assert (await recorded_end(fleet, "run-1-r1")).outcome == "succeeded"


async def test_a_console_follows_the_restarts_of_the_controller(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, FAILS_ONCE, gpu1=2)) as fleet:
        go(fleet)
        run = run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=2), keeper=keeper())
        events = await collect(run)
        # The record is complete when the command ends.
        assert RunStore(fleet.home, "run-1-r1").finished() is not None
    assert [end.outcome for end in of(events, RunFinished)] == ["failed", "succeeded"]
    assert [notice.text for notice in of(events, Notice) if "restart" in notice.text] == [
        "restarting the run (1 of 2)"
    ]


async def test_a_run_that_is_left_is_recorded_to_its_end(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, "wait_for('go')", gpu1=1)) as fleet:
        leaving = launch_and_leave(fleet, plan_of(fleet.inventory), LaunchOptions(), WatchOptions(), keeper())
        events = await collect(leaving)
    assert not [notice for notice in of(events, Notice) if "only recorded" in notice.text]
    go(fleet)
    assert (await recorded_end(fleet, "run-1")).outcome == "succeeded"


async def test_a_controller_that_was_killed_is_replaced_during_the_run(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, FAILS_ONCE, gpu1=1)) as fleet:
        run = run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=1), keeper=keeper())
        killed: list[int] = []
        outcomes = []
        async with asyncio.timeout(DEADLINE):
            async for event in run:
                if not killed and "attempt 0" in str(getattr(event, "data", "")):
                    address = read_address(fleet.home)
                    assert address is not None
                    killed.append(address.pid)
                    os.kill(address.pid, signal.SIGKILL)
                    await until(lambda: _replaced(fleet.home, killed[0]))
                    go(fleet)
                if isinstance(event, RunFinished):
                    outcomes.append(event.outcome)
        assert outcomes == ["failed", "succeeded"]
        assert RunStore(fleet.home, "run-1-r1").finished() is not None


def _replaced(home: Path, pid: int) -> bool:
    address = read_address(home)
    return address is not None and address.pid != pid


async def test_without_a_controller_the_console_keeps_the_run_and_says_so(tmp_path: Path) -> None:
    broken = ControllerKeeper(lambda home: (str(tmp_path / "nothing"),), "1")
    async with fleet_of(inventory(tmp_path, FAILS_ONCE, gpu1=1)) as fleet:
        go(fleet)
        run = run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=1), keeper=broken)
        events = await collect(run)
        assert [end.outcome for end in of(events, RunFinished)] == ["failed", "succeeded"]
        assert RunStore(fleet.home, "run-1-r1").finished() is not None
    (warning,) = [notice for notice in of(events, Notice) if "only recorded" in notice.text]
    assert "the run controller cannot be started" in warning.text


async def test_a_controller_that_ends_at_once_is_given_up(tmp_path: Path) -> None:
    ending = ControllerKeeper(lambda home: (sys.executable, "-c", ""), "1")
    async with fleet_of(inventory(tmp_path, "", gpu1=1)) as fleet:
        with pytest.raises(NotKeptError, match="ended as soon as it had started"):
            await ending.prepare(fleet, ["gpu1"])


async def test_a_run_that_nobody_keeps_is_taken_up_by_who_follows_it(tmp_path: Path) -> None:
    async with fleet_of(inventory(tmp_path, "wait_for('go')", gpu1=1)) as fleet:
        leaving = launch_and_leave(fleet, plan_of(fleet.inventory), LaunchOptions(), WatchOptions(), keeper())
        await collect(leaving)
        address = read_address(fleet.home)
        assert address is not None
        os.kill(address.pid, signal.SIGKILL)
        await until(lambda: identify(address.pid) is None)
        following = follow(fleet, "run-1", keeper=keeper())
        async with asyncio.timeout(DEADLINE):
            async for _ in following:
                break
        await until(lambda: _replaced(fleet.home, address.pid))
        go(fleet)
        assert finish(await collect(following)).outcome == "succeeded"
        assert RunStore(fleet.home, "run-1").finished() is not None


@asynccontextmanager
async def serving(
    home: Path, *, version: str = "1", idle: float = 600.0
) -> AsyncIterator[asyncio.Task[bool]]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    controller = Controller(home, version=version, make_prompts=GivenPasswords, idle=idle)
    task = asyncio.create_task(controller.serve())
    await until(lambda: task.done() or read_address(home) is not None)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_only_one_serves_a_project_and_it_ends_when_it_is_idle(tmp_path: Path) -> None:
    home = tmp_path / ".dtui"
    async with serving(home, idle=0.5) as first:
        assert not await Controller(home, version="1", make_prompts=GivenPasswords).serve()
        async with asyncio.timeout(DEADLINE):
            assert await first
    assert read_address(home) is None


async def test_it_ends_with_its_project(tmp_path: Path) -> None:
    home = tmp_path / "gone" / ".dtui"
    home.parent.mkdir()
    async with serving(home) as task:
        home.parent.rename(tmp_path / "moved")
        async with asyncio.timeout(DEADLINE):
            assert await task


async def test_only_the_user_can_reach_it(tmp_path: Path) -> None:
    home = tmp_path / ".dtui"
    async with serving(home):
        address = read_address(home)
        assert address is not None
        place = Path(address.place)
        assert [path.stat().st_mode & 0o777 for path in (place, place.parent, home / "controller.json")] == [
            0o600, 0o700, 0o600,
        ]  # fmt: skip


@pytest.mark.needs("root")
async def test_its_socket_lies_in_no_folder_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    async with serving(tmp_path / ".dtui"):
        address = read_address(tmp_path / ".dtui")
        assert address is not None
        assert folder not in Path(address.place).parents


async def test_another_version_finishes_its_runs_and_is_replaced(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "wait_for('go')", gpu1=1))
    async with fleet, serving(fleet.home, version="0.0.1") as old:
        options = LaunchOptions(), WatchOptions()
        await collect(launch_and_leave(fleet, plan_of(fleet.inventory), *options, keeper("0.0.1")))
        before = read_address(fleet.home)
        assert before is not None
        assert before.pid == os.getpid()
        await (await keeper().prepare(fleet, ["gpu1"])).close()
        assert _replaced(fleet.home, before.pid)
        assert not old.done()
        go(fleet)
        async with asyncio.timeout(DEADLINE):
            assert await old
        assert (await recorded_end(fleet, "run-1")).outcome == "succeeded"


async def test_a_typed_password_is_handed_over_and_needed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    async with Lab(1) as lab:
        lab.trust(folder / ".dtui" / "known_hosts")
        made = lab.inventory(folder)
        (node,) = (replace(worker, identity=None) for worker in made.workers)
        made = made.with_workers((node,))
        async with Fleet(made, home=folder / ".dtui", prompts=lab.prompts) as fleet:
            with pytest.raises(NotKeptError, match="node1: "):
                await keeper().prepare(fleet, [node.name])
            await fleet.link(node)
            assert len(fleet.passwords) == 1
            lease = await keeper().prepare(fleet, [node.name])
            await lease.close()
    kept = (folder / ".dtui" / "controller.json").read_text()
    assert not any(password in kept for password in fleet.passwords.values())


HELLO = b'{"type":"hello","token":"%s","version":"1"}\n'
STRANGE: dict[str, Sequence[bytes]] = {
    "nothing": [b""],
    "no JSON": [b"GET / HTTP/1.1\r\n\r\n"],
    "another token": [HELLO % (b"0" * 64)],
    "no token": [HELLO % b""],
    "a token of another kind": [b'{"type":"hello","token":7,"version":"1"}\n'],
    "more fields": [b'{"type":"hello","token":"x","version":"1","more":1}\n'],
    "nested": [b"[" * 100_000 + b"\n"],
    "surrogates": [b'{"type":"hello","token":"\\ud800","version":"1"}\n'],
    "a long line": [b"x" * (1 << 20)] * 40,
    "adopt before hello": [b'{"type":"adopt"}\n'],
}


@pytest.mark.parametrize("sent", STRANGE)
async def test_a_stranger_learns_nothing_and_harms_nobody(tmp_path: Path, sent: str) -> None:
    home = tmp_path / ".dtui"
    async with serving(home) as task:
        address = read_address(home)
        assert address is not None
        reader, writer = await asyncio.open_unix_connection(address.place)
        try:
            for piece in STRANGE[sent]:
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
            async with asyncio.timeout(DEADLINE):
                assert await reader.read() == b""
        except ConnectionError:
            pass
        writer.close()
        assert not task.done()
        connection = await _welcomed(address)
        await connection.close()


async def _welcomed(address: Address) -> Connection:
    connection = await connect(address)
    await connection.send(Hello(token=address.token, version="1"))
    assert await connection.receive(Welcome) == Welcome(version="1")
    return connection


@pytest.mark.parametrize("later", [b"{}\n", b'{"type":"prepare"}\n', b'{"type":"retired"}\n', b"\xff\n"])
async def test_a_client_that_goes_wrong_costs_its_own_connection_only(tmp_path: Path, later: bytes) -> None:
    home = tmp_path / ".dtui"
    async with serving(home) as task:
        address = read_address(home)
        assert address is not None
        connection = await _welcomed(address)
        connection._writer.write(later)
        with pytest.raises(WireError):
            await connection.receive(Ready)
        await connection.close()
        assert not task.done()
        await (await _welcomed(address)).close()


async def test_an_unknown_node_is_refused(tmp_path: Path) -> None:
    made = inventory(tmp_path, "", gpu1=1)
    async with serving(made.project / ".dtui"):
        address = read_address(made.project / ".dtui")
        assert address is not None
        connection = await _welcomed(address)
        await connection.send(Prepare(inventory=made, nodes=("gpu9",)))
        assert (await connection.receive(Refused)).reason == "gpu9 is not in the inventory"
        await connection.close()


def test_what_is_sent_is_received(tmp_path: Path) -> None:
    endpoint = Endpoint("h", 22, "kim", (tmp_path / "key",), (("scheme", "https"),))
    made = inventory(tmp_path, "", master=1, gpu1=2)
    prepare = Prepare(inventory=made, nodes=("gpu1",), passwords=((endpoint, "\ud55c"),))
    assert decoded_line(encoded_line(prepare), Prepare) == prepare
