"""``transport: auto`` takes the first way that works and says why the others did not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.lab import Lab
from lab.ssh_node import SshNode
from lab.winrm import Accounts, WinRMServer, posix_shell, self_signed
from tests.winrm.conftest import PASSWORD, USER, Password
from transports.auto.transport import AutoTransport
from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    HostKeyChanged,
    HostKeyUnknown,
    Unreachable,
)
from transports.registry import KINDS, open_transport

Windows = Callable[..., WinRMServer]


@pytest.fixture
def windows(address: str, tmp_path: Path) -> Iterator[Windows]:
    """Start WinRM on its usual ports: ``windows("http")``, ``windows("https")``."""
    started: list[WinRMServer] = []

    def start(scheme: str, accounts: Accounts | None = None) -> WinRMServer:
        server = WinRMServer(
            accounts or Accounts({USER: PASSWORD}),
            posix_shell(tmp_path),
            host=address,
            port=5986 if scheme == "https" else 5985,
            certificate=self_signed(tmp_path / "tls", [address]) if scheme == "https" else None,
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def auto(endpoint: Endpoint, folder: Path, prompts: Password | None = None) -> AutoTransport:
    return AutoTransport(
        endpoint,
        prompts or Password(PASSWORD),
        kinds=KINDS["auto"].tries,
        known_hosts=folder / "known_hosts",
        reach=3,
    )


async def test_ssh_comes_first(tmp_path: Path) -> None:
    async with Lab(1) as lab:
        node = lab.nodes[0]
        assert isinstance(node, SshNode)
        lab.trust(tmp_path / "known_hosts")
        endpoint = Endpoint(node.address, node.port, node.user, (node.identity,))
        transport = open_transport("auto", endpoint, known_hosts=tmp_path / "known_hosts")
        assert isinstance(transport, AutoTransport)
        channel = await transport.open(["echo", "hi"])
        assert await channel.read() == b"hi\n"
        assert (transport.chosen, transport.failures) == ("ssh", ())
        await channel.close()
        await transport.close()


async def test_then_https(address: str, windows: Windows, tmp_path: Path) -> None:
    windows("http")
    server = windows("https")
    assert server.certificate
    ca = (("ca", str(server.certificate.chain)),)
    transport = auto(Endpoint(address, None, USER, options=ca), tmp_path)
    await transport.connect()
    assert transport.chosen == "winrm (https)"
    assert [failure.method for failure in transport.failures] == ["ssh"]
    await transport.close()


async def test_then_http_with_the_reasons_of_the_others(
    address: str, windows: Windows, tmp_path: Path
) -> None:
    windows("http")
    transport = auto(Endpoint(address, None, USER), tmp_path)
    channel = await transport.open(["echo", "hi"])
    assert await channel.read() == b"hi\n"
    assert transport.chosen == "winrm (http)"
    assert transport.method.startswith("winrm (http); other methods failed (over ssh: ")
    assert {failure.method: "port" in failure.error.what for failure in transport.failures} == {
        "ssh": True,
        "winrm (https)": True,
    }
    await transport.close()


async def test_a_certificate_that_is_not_trusted_ends_the_search(
    address: str, windows: Windows, tmp_path: Path
) -> None:
    http = windows("http")
    windows("https")
    prompts = Password(PASSWORD)
    with pytest.raises(CertificateRejected, match="trusted CA"):
        await auto(Endpoint(address, None, USER), tmp_path, prompts).connect()
    assert (prompts.asked, http.accounts.refusals) == (0, 0)


@pytest.mark.parametrize("known", ["pinned", "fingerprint", "ca"])
async def test_a_node_whose_certificate_is_known_is_not_reached_over_http(
    address: str, windows: Windows, tmp_path: Path, known: str
) -> None:
    windows("http")
    options: tuple[tuple[str, str], ...] = ()
    if known == "pinned":
        (tmp_path / "known_certificates").write_text(f"[{address}]:5986 SHA256:{'A' * 64}\n")
    elif known == "fingerprint":
        options = (("fingerprint", "SHA256:" + "A" * 64),)
    else:
        options = (("ca", str(self_signed(tmp_path / "ca", [address]).chain)),)
    prompts = Password(PASSWORD)
    with pytest.raises(Unreachable, match=r"winrm \(http\): not tried"):
        await auto(Endpoint(address, None, USER, options=options), tmp_path, prompts).connect()
    assert prompts.asked == 0


async def test_unless_the_inventory_says_http(address: str, windows: Windows, tmp_path: Path) -> None:
    windows("http")
    (tmp_path / "known_certificates").write_text(f"[{address}]:5986 SHA256:{'A' * 64}\n")
    transport = auto(Endpoint(address, None, USER, options=(("scheme", "http"),)), tmp_path)
    await transport.connect()
    assert transport.chosen == "winrm (http)"
    await transport.close()


async def test_all_reasons_when_nothing_works(address: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"ssh: .*winrm \(https\): .*winrm \(http\): ") as caught:
        await auto(Endpoint(address, None, USER), tmp_path).connect()
    assert caught.value.remedy


async def test_a_name_without_an_address_is_what_is_told_and_nothing_else_is_tried(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="over ssh: the name cannot be resolved") as caught:
        await auto(Endpoint("gpu9.invalid"), tmp_path).connect()
    assert "winrm" not in str(caught.value)
    assert "IP address" in caught.value.remedy


async def test_a_rejected_password_is_asked_once_and_not_tried_behind_the_next_door(
    address: str, windows: Windows, tmp_path: Path
) -> None:
    accounts = Accounts({USER: PASSWORD})
    server = windows("https", accounts)
    windows("http", accounts)
    assert server.certificate
    prompts = Password("wrong")
    ca = (("ca", str(server.certificate.chain)),)
    with pytest.raises(AuthenticationFailed, match="rejected"):
        await auto(Endpoint(address, None, USER, options=ca), tmp_path, prompts).connect()
    assert (prompts.asked, accounts.refusals) == (1, 1)


async def test_an_unknown_host_key_ends_the_search(tmp_path: Path) -> None:
    async with Lab(1) as lab:
        node = lab.nodes[0]
        with pytest.raises((HostKeyUnknown, HostKeyChanged)):
            await auto(Endpoint(node.address, node.port, node.user), tmp_path).connect()


async def test_a_silent_address_takes_bounded_time(address: str, tmp_path: Path) -> None:
    with socket.create_server((address, 0)) as deaf:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await auto(Endpoint(address, deaf.getsockname()[1], USER), tmp_path).connect()
        assert time.monotonic() - began < 60  # it could be minutes
