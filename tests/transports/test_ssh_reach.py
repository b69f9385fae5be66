"""Nodes that can't be reached, and what is said of them."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.support.proxy import Link
from tests.support.sshd import OpenSshServer
from tests.transports.conftest import Connect
from transports.base import Endpoint
from transports.errors import AuthenticationFailed, CommandNotStarted, Refused, Unreachable
from transports.ssh.stages import LoginLimits
from transports.ssh.transport import SshTransport


def transport_to(host: str, port: int, known_hosts: Path) -> SshTransport:
    return SshTransport(Endpoint(host, port, "kim"), known_hosts=known_hosts)


def closed_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_where_nothing_listens(host: str, known_hosts: Path) -> None:
    with pytest.raises(Refused, match="no program listens") as caught:
        await transport_to(host, closed_port(), known_hosts).connect()
    assert "sshd" in caught.value.remedy
    assert caught.value.transient


@pytest.mark.parametrize("host", ["gpu1.invalid", "gpu..1", "g" * 80])
async def test_a_name_that_is_nobodys(host: str, known_hosts: Path) -> None:
    with pytest.raises(Unreachable, match="the name cannot be resolved") as caught:
        await transport_to(host, 22, known_hosts).connect()
    assert host in str(caught.value)


async def test_a_node_that_says_nothing(node: SshNode, known_hosts: Path) -> None:
    async with Link(node.address, node.port) as link:
        link.hold()
        limits = LoginLimits(banner=0.3)
        endpoint = Endpoint(link.host, link.port, "kim")
        with pytest.raises(Unreachable, match="no SSH server has answered within"):
            await SshTransport(endpoint, known_hosts=known_hosts, limits=limits).connect()


@pytest.mark.parametrize("greeting", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b""])
async def test_a_service_that_is_not_ssh(greeting: bytes, known_hosts: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        await transport_to("127.0.0.1", port, known_hosts).connect()
    assert "SSH server" in caught.value.remedy
    server.close()


async def test_a_line_of_the_config_that_cannot_be_read_is_named_when_the_login_fails(
    node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "config").write_text("Host *\n  Port twenty-two\n")
    with pytest.raises(AuthenticationFailed) as caught:
        await connect(node, identities=()).connect()
    assert f"{ssh_folder / 'config'}:2: Port twenty-two" in caught.value.remedy


async def test_a_key_file_of_the_config_that_is_missing_is_named(
    node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "config").write_text("Host *\n  IdentityFile ~/.ssh/not-there\n")
    with pytest.raises(AuthenticationFailed) as caught:
        await connect(node, identities=()).connect()
    assert f"{ssh_folder / 'config'}:2: IdentityFile ~/.ssh/not-there" in caught.value.remedy


async def test_the_first_users_of_a_transport_share_one_connection(node: SshNode, connect: Connect) -> None:
    transport = connect(node)
    channels = await asyncio.gather(*(transport.open(["true"]) for _ in range(5)))
    assert await asyncio.gather(*(channel.wait() for channel in channels)) == [0] * 5
    assert node.connections_made == 1
    assert node.last_cipher == "aes128-gcm@openssh.com"


async def test_a_node_that_allows_no_more_sessions(
    tmp_path: Path, known_hosts: Path, ssh_folder: Path
) -> None:
    with OpenSshServer(tmp_path / "sshd", extra="MaxSessions 1") as server:
        endpoint = Endpoint(server.host, server.port, server.user, (server.identity,))
        transport = SshTransport(
            endpoint, Person(trusting=True), known_hosts=known_hosts, ssh_folder=ssh_folder
        )
        await transport.open(["cat"])
        with pytest.raises(CommandNotStarted, match="refused to start echo") as caught:
            await transport.open(["echo"])
        assert "MaxSessions" in caught.value.remedy
        await transport.close()


async def test_words_that_shells_read_differently_are_refused(node: SshNode, connect: Connect) -> None:
    with pytest.raises(CommandNotStarted, match=r"\$HOME"):
        await connect(node).open(["$HOME/python"])
