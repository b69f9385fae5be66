"""The contract, over a local process, the lab's SSH server and a real OpenSSH."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.support.sshd import OpenSshServer
from tests.transports.conftest import Connect
from tests.transports.contract import TransportContract
from transports.base import Endpoint, Transport
from transports.local.transport import LocalTransport
from transports.ssh.transport import SshTransport


class TestLocal(TransportContract):
    @pytest.fixture
    def transport(self) -> Transport:
        return LocalTransport(Endpoint("localhost"))


class TestLabSsh(TransportContract):
    @pytest.fixture
    def transport(self, node: SshNode, connect: Connect) -> Transport:
        return connect(node)


class TestOpenSsh(TransportContract):
    @pytest.fixture
    async def transport(
        self, openssh: OpenSshServer, known_hosts: Path, ssh_folder: Path
    ) -> AsyncIterator[Transport]:
        known_hosts.parent.mkdir()
        known_hosts.write_text(openssh.known_hosts_line())
        endpoint = Endpoint(openssh.host, openssh.port, openssh.user, (openssh.identity,))
        transport = SshTransport(endpoint, known_hosts=known_hosts, ssh_folder=ssh_folder)
        yield transport
        await transport.close()
