from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.lab import Lab
from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.support.sshd import OpenSshServer
from transports.base import Endpoint, Prompts
from transports.ssh.stages import LoginLimits
from transports.ssh.transport import SshTransport

Connect = Callable[..., SshTransport]


@pytest.fixture
def ssh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ~/.ssh, and no agent."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    """dtui's own file of host keys, which does not exist yet."""
    return tmp_path / "dtui" / "known_hosts"


@pytest.fixture
async def node(ssh_folder: Path) -> AsyncIterator[SshNode]:
    """A lab node that speaks SSH."""
    async with Lab(1) as lab:
        (node,) = lab.nodes
        assert isinstance(node, SshNode)
        yield node


@pytest.fixture(scope="session")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    """A real OpenSSH server."""
    with OpenSshServer(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
async def connect(ssh_folder: Path, known_hosts: Path) -> AsyncIterator[Connect]:
    """Make transports: ``connect(node, prompts, trust=True, limits=None, **fields of the endpoint)``."""
    made: list[SshTransport] = []

    def make(
        node: SshNode,
        prompts: Prompts | None = None,
        *,
        trust: bool = True,
        limits: LoginLimits | None = None,
        probe_seconds: float = 10.0,
        **fields: Any,
    ) -> SshTransport:
        if trust:
            known_hosts.parent.mkdir(exist_ok=True)
            with known_hosts.open("a") as file:
                file.write(node.known_hosts_line())
        endpoint = Endpoint(
            **{"host": node.address, "port": node.port, "user": node.user, "identities": (node.identity,)}
            | fields
        )
        transport = SshTransport(
            endpoint,
            prompts or Person(),
            known_hosts=known_hosts,
            ssh_folder=ssh_folder,
            limits=limits,
            probe_seconds=probe_seconds,
        )
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()
