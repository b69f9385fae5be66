"""What ``~/.ssh/config`` says of a node: names, keys, jump hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.lab import Lab
from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.transports.conftest import Connect
from tests.transports.contract import read_all
from tests.transports.test_ssh_reach import closed_port
from transports.errors import HostKeyUnknown, TransportError, Unreachable


@pytest.fixture
async def nodes(ssh_folder: Path) -> AsyncIterator[tuple[SshNode, ...]]:
    async with Lab(3) as lab:
        yield tuple(node for node in lab.nodes if isinstance(node, SshNode))


def block(alias: str, node: SshNode, *more: str) -> str:
    lines = [f"HostName {node.address}", f"Port {node.port}", f"User {node.user}"]
    lines += [f"IdentityFile {node.identity}", *more]
    return f"Host {alias}\n" + "".join(f"  {line}\n" for line in lines)


async def said_by(transport) -> bytes:  # type: ignore[no-untyped-def]
    return await read_all(await transport.open(["echo", "here"]))


async def test_an_alias_gives_address_port_user_and_key(
    node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "config").write_text(block("gpu1", node))
    transport = connect(node, host="gpu1", port=None, user=None, identities=())
    assert await said_by(transport) == b"here\n"


async def test_what_the_inventory_says_comes_first(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    first, second, _ = nodes
    (ssh_folder / "config").write_text(block("*", second).replace("HostName", "# HostName"))
    assert await said_by(connect(first)) == b"here\n"
    assert second.connections_made == 0


async def test_through_a_jump_host(nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path) -> None:
    jump, target, _ = nodes
    config = block("gate", jump) + block("gpu1", target, "ProxyJump gate")
    (ssh_folder / "config").write_text(config)
    connect(jump)  # trusts its host key
    transport = connect(target, host="gpu1", port=None, user=None, identities=())
    assert await said_by(transport) == b"here\n"
    assert (jump.connections_made, target.connections_made) == (1, 1)
    await transport.close()


async def test_through_two_jump_hosts_the_first_written_in_full(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    first, second, target = nodes
    jumps = f"{first.user}@{first.address}:{first.port},gate2"
    config = f"Host {first.address}\n  IdentityFile {first.identity}\n"
    (ssh_folder / "config").write_text(
        config + block("gate2", second) + block("gpu1", target, f"ProxyJump {jumps}")
    )
    for jump in (first, second):
        connect(jump)
    assert await said_by(connect(target, host="gpu1", port=None, user=None, identities=())) == b"here\n"
    assert [node.connections_made for node in nodes] == [1, 1, 1]


async def test_a_jump_host_behind_a_jump_host(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    first, second, target = nodes
    (ssh_folder / "config").write_text(
        block("gate1", first)
        + block("gate2", second, "ProxyJump gate1")
        + block("gpu1", target, "ProxyJump gate2")
    )
    for jump in (first, second):
        connect(jump)
    assert await said_by(connect(target, host="gpu1", port=None, user=None, identities=())) == b"here\n"
    assert [node.connections_made for node in nodes] == [1, 1, 1]


async def test_the_jump_hosts_key_is_verified_too(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    jump, target, _ = nodes
    (ssh_folder / "config").write_text(block("gate", jump) + block("gpu1", target, "ProxyJump gate"))
    person = Person()
    with pytest.raises(HostKeyUnknown, match="gate"):
        await connect(target, person, host="gpu1", port=None, user=None, identities=()).connect()
    assert [key.fingerprint for key in person.shown] == [jump.fingerprint]
    assert target.connections_made == 0


async def test_a_jump_host_that_cannot_reach_the_node(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    jump, target, _ = nodes
    (ssh_folder / "config").write_text(block("gate", jump) + "Host 127.*\n  ProxyJump gate\n")
    connect(jump)
    with pytest.raises(Unreachable, match="jump host"):
        await connect(target, port=closed_port()).connect()


async def test_jump_hosts_that_lead_in_a_circle(
    nodes: tuple[SshNode, ...], connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "config").write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(TransportError, match="back to itself"):
        await connect(nodes[0], host="a").connect()
