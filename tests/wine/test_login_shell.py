"""The agent's start through cmd.exe, on new and old servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.wire.operation import Nothing
from agent.wire.operations import PING
from fleet.errors import NoAgent
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from lab.wine.home import WindowsHome
from lab.wine.machine import WindowsMachine
from lab.wine.nodes import WindowsSshNode
from transports.base import Endpoint
from transports.ssh.transport import SshTransport

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]


@pytest.fixture
async def node(
    machine: WindowsMachine, address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WindowsSshNode]:
    """A Windows node that has not been started."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    home = WindowsHome(machine, "shell", "lab", machine.python())
    node = WindowsSshNode(home, address, lab="login-shell", extra={})
    yield node
    await node.stop()


def transport_to(node: WindowsSshNode, folder: Path) -> SshTransport:
    (folder / "known_hosts").write_text(node.known_hosts_line())
    return SshTransport(
        Endpoint(node.address, node.port, node.user, (node.identity,)),
        known_hosts=folder / "known_hosts",
        ssh_folder=folder,
    )


@pytest.mark.parametrize("software", ["OpenSSH_for_Windows_7.7", "OpenSSH_for_Windows_9.5"])
async def test_the_agent_starts(
    software: str, node: WindowsSshNode, machine: WindowsMachine, tmp_path: Path
) -> None:
    folder = machine.drive / "an odd (x86) 한글 it's folder"
    folder.symlink_to(machine.drive / "Python311")
    node.software = software
    await node.start()
    transport = transport_to(node, tmp_path)
    try:
        python = rf"C:\{folder.name}\python.exe"
        started = await start_agent(transport, pack_agent(), node="gpu1", python=python)
        client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
        await client.call(PING, Nothing())
        assert client.platform == "win32"
        await client.close()
    finally:
        await transport.close()
        folder.unlink()


async def test_a_missing_interpreter_and_the_shell_are_named(node: WindowsSshNode, tmp_path: Path) -> None:
    await node.start()
    transport = transport_to(node, tmp_path)
    with pytest.raises(NoAgent, match="not installed"):
        await start_agent(transport, pack_agent(), node="gpu1", python=r"C:\none here\python.exe")
    shell = await transport.login_shell()
    assert shell is not None
    assert shell.kind == "cmd"
    await transport.close()
