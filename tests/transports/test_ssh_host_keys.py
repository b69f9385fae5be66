"""Whose host keys are trusted, and what is said of the others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncssh
import pytest

from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.transports.conftest import Connect
from transports.errors import HostKeyChanged, HostKeyUnknown


def line_of(node: SshNode, key: asyncssh.SSHKey, *, marker: str = "") -> str:
    return f"{marker}[{node.address}]:{node.port} {key.export_public_key().decode()}"


class TestFirstUse:
    async def test_asks_with_the_fingerprint_and_records_the_key(
        self, node: SshNode, connect: Connect, known_hosts: Path
    ) -> None:
        person = Person(trusting=True)
        await connect(node, person, trust=False).connect()
        (shown,) = person.shown
        assert (shown.host, shown.port) == (node.address, node.port)
        assert shown.fingerprint == node.fingerprint
        assert known_hosts.read_text() == node.known_hosts_line()
        nobody = Person()
        await connect(node, nobody, trust=False).connect()
        assert nobody.shown == []

    async def test_declined_it_stops_and_records_nothing(
        self, node: SshNode, connect: Connect, known_hosts: Path
    ) -> None:
        with pytest.raises(HostKeyUnknown, match=node.fingerprint.replace("+", r"\+")) as caught:
            await connect(node, Person(trusting=False), trust=False).connect()
        assert "fingerprint" in caught.value.remedy
        assert not known_hosts.exists()

    async def test_a_record_of_port_22_holds_for_other_ports(
        self, node: SshNode, connect: Connect, known_hosts: Path
    ) -> None:
        known_hosts.parent.mkdir()
        known_hosts.write_text(node.known_hosts_line().replace(f"[{node.address}]:{node.port}", node.address))
        await connect(node, trust=False).connect()

    async def test_another_key_at_port_22_is_no_change(
        self, node: SshNode, connect: Connect, known_hosts: Path
    ) -> None:
        known_hosts.parent.mkdir()
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        known_hosts.write_text(f"{node.address} {other}")
        person = Person(trusting=True)
        await connect(node, person, trust=False).connect()
        assert len(person.shown) == 1


class TestChangedKey:
    async def test_stops_and_names_both_keys_and_the_line(
        self, node: SshNode, connect: Connect, known_hosts: Path
    ) -> None:
        known_hosts.parent.mkdir()
        known_hosts.write_text("# a comment\n\nthis is no key\n" + node.known_hosts_line())
        before = node.fingerprint
        await node.change_host_key()
        person = Person(trusting=True)
        with pytest.raises(HostKeyChanged) as caught:
            await connect(node, person, trust=False).connect()
        for part in (before, node.fingerprint, str(known_hosts), "line 4"):
            assert part in caught.value.what
        assert person.shown == []

    @pytest.mark.parametrize("kind", ["ecdsa-sha2-nistp256", "ssh-rsa"])
    async def test_a_key_of_another_kind_is_a_change(
        self, node: SshNode, connect: Connect, known_hosts: Path, kind: str
    ) -> None:
        known_hosts.parent.mkdir()
        recorded = asyncssh.generate_private_key(kind)
        known_hosts.write_text(line_of(node, recorded))
        with pytest.raises(HostKeyChanged) as caught:
            await connect(node, Person(trusting=True), trust=False).connect()
        assert recorded.get_fingerprint() in caught.value.what
        assert node.fingerprint in caught.value.what

    async def test_a_revoked_key_is_refused_though_it_is_recorded(
        self, node: SshNode, connect: Connect, ssh_folder: Path
    ) -> None:
        line = node.known_hosts_line()
        (ssh_folder / "known_hosts").write_text(line + "@revoked " + line)
        with pytest.raises(HostKeyChanged, match="revoked"):
            await connect(node, Person(trusting=True), trust=True).connect()


class TestOpenSshFiles:
    async def test_a_hashed_name_in_the_persons_own_file(
        self, node: SshNode, connect: Connect, ssh_folder: Path, known_hosts: Path
    ) -> None:
        file = ssh_folder / "known_hosts"
        file.write_text(node.known_hosts_line())
        subprocess.run(["ssh-keygen", "-H", "-f", file], check=True, capture_output=True)
        assert node.address not in file.read_text()
        await connect(node, trust=False).connect()
        await node.change_host_key()
        with pytest.raises(HostKeyChanged, match=f"{file}, line 1"):
            await connect(node, trust=False).connect()
        assert not known_hosts.exists()

    async def test_one_of_several_keys_is_enough(
        self, node: SshNode, connect: Connect, ssh_folder: Path
    ) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519")
        (ssh_folder / "known_hosts").write_text(line_of(node, other) + node.known_hosts_line())
        await connect(node, trust=False).connect()

    async def test_a_pattern_covers_the_node(self, node: SshNode, connect: Connect, ssh_folder: Path) -> None:
        key = node.known_hosts_line().partition(" ")[2]
        (ssh_folder / "known_hosts").write_text(f"[127.0.*]:* {key}")
        await connect(node, trust=False).connect()
