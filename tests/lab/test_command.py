"""``dtui lab``, as a person uses it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from fleet.events import LinkChanged
from fleet.fleet import Fleet
from fleet.inventory import load_inventory
from lab.lab import Lab
from tests.lab.test_lab import DETACH, alive, output
from tests.support.waiting import until
from transports.base import Endpoint
from transports.ssh.transport import SshTransport

REPOSITORY = Path(__file__).parents[2]

StartLab = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start_lab(tmp_path: Path) -> AsyncIterator[StartLab]:
    """Run ``dtui lab`` in an empty project folder."""
    started: list[Process] = []

    async def run(*words: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from tui.cli import main; raise SystemExit(main())",
            "lab",
            *words,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path / "tmp")},
            stdout=PIPE,
            stderr=PIPE,
        )
        started.append(process)
        return process

    (tmp_path / "tmp").mkdir()
    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def nodes_of(process: Process, count: int) -> list[list[str]]:
    assert process.stdout is not None
    return [(await process.stdout.readline()).decode().split() for _ in range(count)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_interrupted_and_leaves_nothing(
    start_lab: StartLab, tmp_path: Path, how: signal.Signals
) -> None:
    process = await start_lab("--nodes", "2", "--inventory-out", "nodes.yaml")
    nodes = await nodes_of(process, 2)
    assert [(name, kind) for name, kind, _ in nodes] == [("node1", "ssh"), ("node2", "ssh")]
    inventory = load_inventory(tmp_path / "nodes.yaml")
    home = tmp_path / ".dtui"
    async with Fleet(inventory, home=home) as fleet:
        events = [event async for event in fleet.connect(probe=False)]
    assert {event.node for event in events if isinstance(event, LinkChanged) and event.state == "up"} == {
        "master", "node1", "node2"
    }  # fmt: skip
    node = inventory.workers[0]
    assert node.identity is not None
    endpoint = Endpoint(node.address, node.port, node.user, (node.identity,))
    transport = SshTransport(endpoint, known_hosts=home / "known_hosts", ssh_folder=tmp_path)
    detached = int(await output(transport, DETACH))
    process.send_signal(how)
    process.send_signal(how)
    _, narration = await process.communicate()
    assert process.returncode == 0, narration
    assert not alive(detached)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tmp"]
    assert not list((tmp_path / "tmp").iterdir())
    await transport.close()


async def test_host_keys_that_were_known_before_stay_known(start_lab: StartLab, tmp_path: Path) -> None:
    known_hosts = tmp_path / ".dtui" / "known_hosts"
    known_hosts.parent.mkdir()
    known_hosts.write_text("gpu1 ssh-ed25519 AAAA\n")
    process = await start_lab("--nodes", "1")
    await nodes_of(process, 1)
    assert len(known_hosts.read_text().splitlines()) == 2
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert known_hosts.read_text() == "gpu1 ssh-ed25519 AAAA\n"


async def test_an_inventory_is_never_overwritten(start_lab: StartLab, tmp_path: Path) -> None:
    (tmp_path / "nodes.yaml").write_text("mine")
    process = await start_lab("--inventory-out", "nodes.yaml")
    out, narration = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"nodes.yaml exists already" in narration
    assert (tmp_path / "nodes.yaml").read_text() == "mine"


async def test_a_password_is_told_for_nodes_that_know_no_keys(start_lab: StartLab) -> None:
    process = await start_lab("--nodes", "1", "--winrm", "1")
    assert (await nodes_of(process, 1))[0][1] == "winrm"
    process.send_signal(signal.SIGINT)
    out, narration = await process.communicate()
    assert b"node1: password " in narration
    assert b"password" not in out
    assert process.returncode == 0


async def test_a_killed_lab_leaves_nothing(start_lab: StartLab, tmp_path: Path) -> None:
    process = await start_lab("--nodes", "1", "--inventory-out", "nodes.yaml")
    await nodes_of(process, 1)
    (root,) = (tmp_path / "tmp").iterdir()
    detached = await start_detached(tmp_path)
    process.kill()
    await process.communicate()
    await until(lambda: not any(path.name != "tmp" for path in tmp_path.iterdir()))
    assert not root.exists()
    assert not alive(detached)


async def start_detached(folder: Path) -> int:
    """Start a process on the lab's first node that leaves its session, and return its number."""
    node = load_inventory(folder / "nodes.yaml").workers[0]
    assert node.identity is not None
    endpoint = Endpoint(node.address, node.port, node.user, (node.identity,))
    transport = SshTransport(
        endpoint, known_hosts=folder / ".dtui" / "known_hosts", ssh_folder=folder / "none"
    )
    detached = int(await output(transport, DETACH))
    await transport.close()
    return detached


async def test_what_is_left_where_the_guardian_was_killed_too_goes_with_the_next_lab(
    start_lab: StartLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    process = await start_lab("--nodes", "1", "--inventory-out", "nodes.yaml")
    await nodes_of(process, 1)
    (root,) = (tmp_path / "tmp").iterdir()
    async with Lab(1):
        assert root.exists()  # its lab lives
    detached = await start_detached(tmp_path)
    (guardian,) = (
        child for child in psutil.Process(process.pid).children() if "lab.guardian" in child.cmdline()
    )
    guardian.kill()
    process.kill()
    await process.communicate()
    assert root.exists()
    assert alive(detached)
    async with Lab(1):
        assert not root.exists()
        assert not alive(detached)
    assert not list((tmp_path / "tmp").iterdir())
