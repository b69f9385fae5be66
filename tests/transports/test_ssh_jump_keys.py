"""Behind a ProxyJump, the jump host and the node must each prove who they are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.lab import Lab
from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.transports.conftest import Connect
from tests.transports.test_ssh_config import block, said_by
from transports.errors import HostKeyChanged, HostKeyUnknown
from transports.ssh.transport import SshTransport

Reach = Callable[[Person], SshTransport]


@pytest.fixture
async def hosts(ssh_folder: Path, known_hosts: Path) -> AsyncIterator[tuple[SshNode, SshNode]]:
    """A jump host and a node behind it, called gate and gpu1 in ~/.ssh/config."""
    async with Lab(2) as lab:
        jump, target = (node for node in lab.nodes if isinstance(node, SshNode))
        config = block("gate", jump) + block("gpu1", target, "ProxyJump gate")
        (ssh_folder / "config").write_text(config)
        known_hosts.parent.mkdir()
        yield jump, target


@pytest.fixture
def reach(hosts: tuple[SshNode, SshNode], connect: Connect) -> Reach:
    """Make a transport to the node behind the jump host, which trusts what known_hosts has."""

    def make(person: Person) -> SshTransport:
        return connect(hosts[1], person, trust=False, host="gpu1", port=None, user=None, identities=())

    return make


def record(known_hosts: Path, *nodes: SshNode) -> None:
    known_hosts.write_text("".join(node.known_hosts_line() for node in nodes))


async def test_the_jump_hosts_changed_key_stops_before_the_node_is_reached(
    hosts: tuple[SshNode, SshNode], reach: Reach, known_hosts: Path
) -> None:
    jump, target = hosts
    record(known_hosts, jump, target)
    before = jump.fingerprint
    await jump.change_host_key()
    person = Person("secret", trusting=True)
    with pytest.raises(HostKeyChanged, match=re.escape(before)) as caught:
        await reach(person).connect()
    assert jump.fingerprint in caught.value.what
    assert "gate" in caught.value.where
    assert (person.shown, person.asked) == ([], [])
    assert target.connections_made == 0


async def test_the_nodes_changed_key_stops_behind_a_right_jump_host(
    hosts: tuple[SshNode, SshNode], reach: Reach, known_hosts: Path
) -> None:
    jump, target = hosts
    record(known_hosts, jump, target)
    before = target.fingerprint
    await target.change_host_key()
    person = Person("secret", trusting=True)
    with pytest.raises(HostKeyChanged, match=re.escape(before)) as caught:
        await reach(person).connect()
    assert target.fingerprint in caught.value.what
    assert "gpu1" in caught.value.where
    assert (person.shown, person.asked) == ([], [])


async def test_the_jump_hosts_key_does_not_pass_for_the_nodes(
    hosts: tuple[SshNode, SshNode], reach: Reach, known_hosts: Path
) -> None:
    """As if the jump host answered in the node's place, with the key that it is known by."""
    jump, target = hosts
    record(known_hosts, jump)
    key = jump.known_hosts_line().partition(" ")[2]
    with known_hosts.open("a") as file:
        file.write(f"[{target.address}]:{target.port} {key}")
    with pytest.raises(HostKeyChanged, match=re.escape(jump.fingerprint)):
        await reach(Person(trusting=True)).connect()


async def test_an_unknown_node_is_shown_with_its_own_name_and_fingerprint(
    hosts: tuple[SshNode, SshNode], reach: Reach, known_hosts: Path
) -> None:
    jump, target = hosts
    record(known_hosts, jump)
    person = Person()
    with pytest.raises(HostKeyUnknown, match=re.escape(target.fingerprint)):
        await reach(person).connect()
    assert [(key.host, key.port, key.fingerprint) for key in person.shown] == [
        (target.address, target.port, target.fingerprint)
    ]
    assert person.asked == []
    assert known_hosts.read_text() == jump.known_hosts_line()


async def test_two_unknown_hosts_are_asked_for_one_by_one_and_recorded_apart(
    hosts: tuple[SshNode, SshNode], reach: Reach, known_hosts: Path
) -> None:
    jump, target = hosts
    person = Person(trusting=True)
    assert await said_by(reach(person)) == b"here\n"
    assert [(key.host, key.port, key.fingerprint) for key in person.shown] == [
        (node.address, node.port, node.fingerprint) for node in (jump, target)
    ]
    assert known_hosts.read_text() == jump.known_hosts_line() + target.known_hosts_line()
    again = Person()
    assert await said_by(reach(again)) == b"here\n"
    assert again.shown == []
