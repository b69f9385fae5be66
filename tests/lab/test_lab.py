"""A lab's nodes are machines of their own while it lasts, and nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from fleet.events import LinkChanged
from fleet.fleet import Fleet
from fleet.inventory import load_inventory
from lab.home import MARK
from lab.lab import Lab
from lab.node import LabNode
from lab.remains import remove_remains
from lab.ssh_node import SshNode
from tests.support.own_network import own_network
from tests.support.person import Person
from tests.support.waiting import until
from transports.base import Endpoint
from transports.errors import ChannelLost, Refused
from transports.ssh.transport import SshChannel, SshTransport

#: Starts a process that leaves the session, as a detached supervisor does, and says its number.
DETACH = "setsid sleep 600 0<&- 1>&- 2>&- & echo $!"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(2) as running:
        yield running


@asynccontextmanager
async def login(node: LabNode, folder: Path) -> AsyncIterator[SshTransport]:
    assert isinstance(node, SshNode)
    transport = SshTransport(
        Endpoint(node.address, node.port, node.user, (node.identity,)),
        Person(trusting=True),
        known_hosts=folder / "known_hosts",
        ssh_folder=folder,
    )
    try:
        yield transport
    finally:
        await transport.close()


async def start(transport: SshTransport, script: str) -> SshChannel:
    """Start a shell script, which goes through stdin."""
    channel = await transport.open(["sh", "-s"])
    await channel.write(script.encode() + b"\n")
    await channel.write_eof()
    return channel


async def output(transport: SshTransport, script: str) -> str:
    channel = await start(transport, script)
    text = b""
    while part := await channel.read():
        text += part
    return text.decode().strip()


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class TestNodes:
    async def test_a_fleet_connects_to_all_and_nobody_is_asked(self, tmp_path: Path) -> None:
        async with Lab(3, winrm=1) as lab:
            lab.trust(tmp_path / ".dtui" / "known_hosts")
            inventory = lab.inventory(tmp_path)
            async with Fleet(inventory, home=tmp_path / ".dtui", prompts=lab.prompts) as fleet:
                events = [event async for event in fleet.connect(probe=False)]
        states = {event.node: event for event in events if isinstance(event, LinkChanged)}
        assert {name: event.state for name, event in states.items()} == dict.fromkeys(
            ("master", "node1", "node2", "node3"), "up"
        ), states
        assert [worker.transport for worker in inventory.workers] == ["ssh", "ssh", "winrm"]

    async def test_each_has_a_home_cache_and_temporary_folder_of_its_own(
        self, lab: Lab, tmp_path: Path
    ) -> None:
        seen = []
        for node in lab.nodes:
            async with login(node, tmp_path) as transport:
                seen.append(
                    await output(transport, 'pwd; echo "$HOME"; echo "$XDG_CACHE_HOME"; echo "$TMPDIR"')
                )
        for node, text in zip(lab.nodes, seen, strict=True):
            folders = [Path(line) for line in text.splitlines()]
            assert folders[0] == folders[1]
            assert all(folder.is_relative_to(lab.root / node.name) for folder in folders)
            assert len(folders) == 4

    async def test_what_describes_our_own_session_is_not_inherited(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VIRTUAL_ENV", "/ours")
        monkeypatch.setenv("PYTHONPATH", "/ours")
        monkeypatch.setenv("SSH_AUTH_SOCK", "/ours")
        async with Lab(1, environment={"GIVEN": "here"}) as lab, login(lab.nodes[0], tmp_path) as transport:
            variables = await output(transport, "env")
        assert "/ours" not in variables
        assert "GIVEN=here" in variables.splitlines()

    async def test_two_labs_share_no_address(self, lab: Lab) -> None:
        async with Lab(2) as other:
            addresses = [node.address for node in (*lab.nodes, *other.nodes)]
            assert len({*addresses, lab.master_address, other.master_address}) == 6

    async def test_its_inventory_is_read_back(self, lab: Lab, tmp_path: Path) -> None:
        path = tmp_path / "nodes.yaml"
        path.write_text(lab.inventory_yaml(path, tmp_path))
        assert load_inventory(path) == lab.inventory(tmp_path)

    @pytest.mark.usefixtures("own_network")
    async def test_runs_of_two_labs_meet_at_ports_that_nobody_else_has(self, tmp_path: Path) -> None:
        with socket.create_server(("", 29505)):
            async with (
                Lab(1, root=tmp_path / "one") as one,
                Lab(1, root=tmp_path / "two") as two,
            ):
                ports = [lab.inventory(tmp_path).run.port for lab in (one, two)]
                assert ports == [29506, 29507]
        async with Lab(1, root=tmp_path / "three") as alone:
            assert alone.inventory(tmp_path).run.port == 29505

    @pytest.mark.parametrize(("nodes", "winrm"), [(0, 0), (1, 2), (1, -1), (1000, 0)])
    def test_numbers_that_make_no_lab(self, nodes: int, winrm: int) -> None:
        with pytest.raises(ValueError, match="1 to 200 nodes"):
            Lab(nodes, winrm=winrm)


class TestFaults:
    async def test_dropped_connections_break_channels_and_can_be_made_anew(
        self, lab: Lab, tmp_path: Path
    ) -> None:
        node = lab.nodes[0]
        async with login(node, tmp_path) as transport:
            channel = await transport.open(["sleep", "600"])
            node.drop_connections()
            with pytest.raises(ChannelLost):
                await channel.read()
            assert await output(transport, "echo again") == "again"

    async def test_a_stopped_node_refuses_and_comes_back_as_it_was(self, lab: Lab, tmp_path: Path) -> None:
        node = lab.nodes[0]
        async with login(node, tmp_path) as transport:
            session = int(await (await start(transport, "echo $$; exec sleep 600")).read())
            detached = int(await output(transport, DETACH))
            place = (node.address, node.port)
            await node.stop()
            with pytest.raises(Refused):
                await transport.connect()
            await until(lambda: not alive(session))
            assert alive(detached)
            await node.start()
            assert (node.address, node.port) == place
            assert await output(transport, "echo back") == "back"
        assert len((tmp_path / "known_hosts").read_text().splitlines()) == 1

    async def test_without_power_nothing_runs_on(self, lab: Lab, tmp_path: Path) -> None:
        async with login(lab.nodes[0], tmp_path) as here, login(lab.nodes[1], tmp_path) as there:
            ours, theirs = int(await output(here, DETACH)), int(await output(there, DETACH))
            await lab.nodes[0].power_off()
            assert not alive(ours)
            assert alive(theirs)

    async def test_a_lost_client_ends_nothing_but_the_pipes(self, lab: Lab, tmp_path: Path) -> None:
        node = lab.nodes[0]
        seen = node.home.folder / "seen"
        async with login(node, tmp_path) as transport:
            channel = await start(transport, "echo $$; sleep 0.2; echo end > seen")
            await channel.read()
            node.drop_connections()
        await until(seen.exists)


class TestEnd:
    async def test_no_process_no_folder_no_listener_is_left(self, tmp_path: Path) -> None:
        async with Lab(2) as lab:
            pids = []
            for node in lab.nodes:
                async with login(node, tmp_path) as transport:
                    pids.append(int(await output(transport, DETACH)))
                    pids.append(int(await output(transport, "env -u HOME sh -c '" + DETACH + "'")))
            assert all(map(alive, pids))
            places = [(node.address, node.port) for node in lab.nodes]
            root, mark = lab.root, lab.id
        assert not any(map(alive, pids))
        assert not root.exists()
        for place in places:
            with socket.socket() as probe:
                assert probe.connect_ex(place) != 0
        assert not [pid for pid in psutil.pids() if carries(pid, mark)]

    async def test_commands_that_are_just_starting_are_ended_too(self, tmp_path: Path) -> None:
        async with Lab(1) as lab, login(lab.nodes[0], tmp_path) as transport:
            await asyncio.gather(*(transport.open(["sleep", "600"]) for _ in range(8)))
            mark = lab.id
            async with asyncio.timeout(120):
                await lab.nodes[0].stop()
        assert not [pid for pid in psutil.pids() if carries(pid, mark)]

    async def test_it_ends_when_the_block_fails(self, tmp_path: Path) -> None:
        class Trouble(Exception):
            pass

        lab = Lab(1)
        pids = []

        async def fail() -> None:
            async with lab, login(lab.nodes[0], tmp_path) as transport:
                pids.append(int(await output(transport, DETACH)))
                raise Trouble

        with pytest.raises(Trouble):
            await fail()
        assert len(pids) == 1
        assert not alive(pids[0])
        assert not lab.root.exists()

    async def test_a_given_folder_stays(self, tmp_path: Path) -> None:
        async with Lab(1, root=tmp_path / "lab") as lab:
            (lab.nodes[0].home.folder / "kept").touch()
        assert (tmp_path / "lab" / "node1" / "home" / "kept").exists()


def carries(pid: int, mark: str) -> bool:
    try:
        return f"{MARK}={mark}" in Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return os.getpid() == pid


async def test_a_lab_in_another_network_is_not_taken_for_abandoned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    async with Lab(1) as lab:
        with own_network():
            await remove_remains()
        assert lab.node("node1").home.folder.is_dir()
