"""Keys, passphrases, the agent and passwords, and what is said when none of them helps."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from lab.lab import Lab
from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.support.sshd import OpenSshServer
from tests.support.waiting import until
from tests.transports.conftest import Connect
from transports.base import Endpoint
from transports.errors import AuthenticationFailed
from transports.ssh.stages import LoginLimits
from transports.ssh.transport import SshTransport


def locked(node: SshNode, passphrase: str, form: str = "openssh") -> Path:
    """Return the node's identity as a file with a passphrase."""
    path = node.identity.with_name(f"locked_{form}")
    asyncssh.read_private_key(node.identity).write_private_key(
        path, form, passphrase=passphrase, rounds=2, ignore_few_rounds=True
    )
    return path


class Agent:
    """A real ssh-agent with nothing in it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def add(self, key: Path) -> None:
        environment = os.environ | {"SSH_AUTH_SOCK": str(self.socket)}
        key.chmod(0o600)
        subprocess.run(["ssh-add", key], env=environment, check=True, capture_output=True)


@pytest.fixture
async def agent(tmp_path: Path, ssh_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    await until(socket.exists)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield Agent(socket)
    process.terminate()
    process.wait()


class TestPassword:
    async def test_is_asked_for_once_and_lets_in(self, node: SshNode, connect: Connect) -> None:
        person = Person(node.password)
        await connect(node, person, identities=()).connect()
        assert person.asked == ["password"]

    async def test_wrong_it_is_not_tried_again(self, node: SshNode, connect: Connect) -> None:
        person = Person("not it")
        with pytest.raises(
            AuthenticationFailed, match="the node rejected the password and all SSH keys"
        ) as caught:
            await connect(node, person, identities=()).connect()
        assert person.asked == ["password"]
        assert "user name" in caught.value.remedy
        assert "not it" not in str(caught.value)

    async def test_nobody_to_ask(self, node: SshNode, connect: Connect) -> None:
        with pytest.raises(AuthenticationFailed, match="the node rejected all SSH keys") as caught:
            await connect(node, Person(), identities=()).connect()
        assert "authorized_keys" in caught.value.remedy

    async def test_a_node_that_turns_everybody_away(self, node: SshNode, connect: Connect) -> None:
        node.refuse_logins = True
        with pytest.raises(AuthenticationFailed):
            await connect(node, Person(node.password)).connect()

    async def test_a_slow_typist_is_not_cut_off(self, node: SshNode, known_hosts: Path) -> None:
        class Slow(Person):
            async def password(self, endpoint: Endpoint, reason: str) -> str | None:
                await asyncio.sleep(3.2)  # longer than the login may take without questions
                return await super().password(endpoint, reason)

        person = Slow(node.password, trusting=True)
        endpoint = Endpoint(node.address, node.port, node.user)
        limits = LoginLimits(authentication=3.0)
        transport = SshTransport(endpoint, person, known_hosts=known_hosts, limits=limits)
        await transport.connect()
        await transport.close()

    async def test_of_a_user_with_a_korean_name(self, ssh_folder: Path, connect: Connect) -> None:
        async with Lab(1, user="연구원") as lab:
            (node,) = lab.nodes
            assert isinstance(node, SshNode)
            await connect(node, Person(node.password), identities=()).connect()

    async def test_asked_for_by_questions(self, known_hosts: Path, ssh_folder: Path) -> None:
        class LoginServer(asyncssh.SSHServer):
            def password_auth_supported(self) -> bool:
                return False

            def kbdint_auth_supported(self) -> bool:
                return True

            def get_kbdint_challenge(self, username: str, lang: str, submethods: str):  # type: ignore[no-untyped-def]
                return "", "", "", [("(kim@gpu1) Password: ", False), ("Code: ", True)]

            def validate_kbdint_response(self, username: str, responses: list[str]) -> bool:
                return responses == ["horse", "123456"]

        server = await asyncssh.create_server(
            LoginServer, "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")]
        )
        person = Person(passwords={"password": "horse", "Code": "123456"}, trusting=True)
        endpoint = Endpoint("127.0.0.1", server.get_port(), "kim")
        transport = SshTransport(endpoint, person, known_hosts=known_hosts, ssh_folder=ssh_folder)
        await transport.connect()
        await transport.close()
        server.close()
        assert person.asked == ["password", "Code"]


class TestKeys:
    async def test_without_an_identity_the_usual_files_are_tried(
        self, node: SshNode, connect: Connect, ssh_folder: Path
    ) -> None:
        (ssh_folder / "id_ed25519").write_bytes(node.identity.read_bytes())
        await connect(node, identities=()).connect()

    @pytest.mark.parametrize("form", ["openssh", "pkcs8-pem"])
    async def test_a_passphrase_is_asked_for(self, node: SshNode, connect: Connect, form: str) -> None:
        key = locked(node, "open sesame", form)
        person = Person(passwords={f"passphrase of {key}": "open sesame"})
        await connect(node, person, identities=(key,)).connect()
        assert person.asked == [f"passphrase of {key}"]

    async def test_a_wrong_passphrase(self, node: SshNode, connect: Connect) -> None:
        key = locked(node, "open sesame")
        person = Person(passwords={f"passphrase of {key}": "open"})
        with pytest.raises(AuthenticationFailed, match=f"passphrase of {key} is wrong"):
            await connect(node, person, identities=(key,)).connect()

    @pytest.mark.parametrize("form", ["openssh", "pkcs8-pem"])
    async def test_nobody_types_the_passphrase(self, node: SshNode, connect: Connect, form: str) -> None:
        key = locked(node, "open sesame", form)
        with pytest.raises(AuthenticationFailed, match=f"the key {key} needs a passphrase") as caught:
            await connect(node, Person(), identities=(key,)).connect()
        assert "ssh-add" in caught.value.remedy

    async def test_a_key_that_the_node_does_not_know_is_not_unlocked(
        self, node: SshNode, connect: Connect, tmp_path: Path
    ) -> None:
        stranger = tmp_path / "stranger"
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(
            stranger, passphrase="secret", rounds=2, ignore_few_rounds=True
        )
        person = Person(passwords={"password": node.password})
        await connect(node, person, identities=(stranger,)).connect()
        assert person.asked == ["password"]

    async def test_a_key_file_that_is_missing_is_named(
        self, node: SshNode, connect: Connect, tmp_path: Path
    ) -> None:
        with pytest.raises(AuthenticationFailed, match=str(tmp_path / "gone")) as caught:
            await connect(node, identities=(tmp_path / "gone",)).connect()
        assert "identity" in caught.value.remedy

    async def test_a_file_that_is_no_key_is_named(
        self, node: SshNode, connect: Connect, tmp_path: Path
    ) -> None:
        (tmp_path / "notes").write_text("no key at all")
        with pytest.raises(AuthenticationFailed, match=str(tmp_path / "notes")):
            await connect(node, identities=(tmp_path / "notes",)).connect()


class TestAgent:
    async def test_its_key_lets_in(self, node: SshNode, connect: Connect, agent: Agent) -> None:
        agent.add(node.identity)
        await connect(node, identities=()).connect()

    async def test_spares_the_passphrase(self, node: SshNode, connect: Connect, agent: Agent) -> None:
        agent.add(node.identity)
        person = Person("never asked")
        await connect(node, person, identities=(locked(node, "open sesame"),)).connect()
        assert person.asked == []

    async def test_too_many_keys_before_the_right_one(
        self, tmp_path: Path, agent: Agent, known_hosts: Path, ssh_folder: Path
    ) -> None:
        for number in range(4):
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / f"key{number}")
            agent.add(tmp_path / f"key{number}")
        with OpenSshServer(tmp_path / "sshd", extra="MaxAuthTries 2") as server:

            def transport(*identities: Path) -> SshTransport:
                endpoint = Endpoint(server.host, server.port, server.user, identities)
                person = Person(trusting=True)
                return SshTransport(endpoint, person, known_hosts=known_hosts, ssh_folder=ssh_folder)

            with pytest.raises(AuthenticationFailed, match="too many keys") as caught:
                await transport().connect()
            assert "identity" in caught.value.remedy
            named = transport(server.identity)
            await named.connect()
            await named.close()
