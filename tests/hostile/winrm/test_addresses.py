"""Credentials go to the configured address only: no redirect, no proxy, no cookie leads them elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.winrm import attacks
from tests.hostile.winrm.bystander import Bystander
from tests.hostile.winrm.conftest import Connect, Serve, use
from tests.hostile.winrm.server import Attack, Stage
from transports.errors import ProtocolViolation

STAGES: list[Stage] = ["probe", "challenge", "login", "Get", "Create", "Command", "Receive"]
ECHO = [sys.executable, "-c", "import os; os.write(1, b'hi')"]


@pytest.fixture
def bystander() -> Iterator[Bystander]:
    with Bystander("127.0.12.2") as listener:
        yield listener


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stage", STAGES)
async def test_no_redirect_is_followed(
    serve: Serve, connect: Connect, bystander: Bystander, stage: Stage, status: int, tls: bool
) -> None:
    if tls and stage == "login":
        stage = "Get"  # NTLM's second message carries the first request there
    server = serve(Attack(stage, attacks.redirect(status, bystander.url)), tls=tls)
    with pytest.raises(ProtocolViolation, match="follows no redirect") as caught:
        await use(connect(server), ECHO)
    assert bystander.url in caught.value.what
    assert not caught.value.transient
    assert (bystander.connections, bytes(bystander.received)) == (0, b"")


@pytest.mark.parametrize(
    "target", ["/elsewhere", "//127.0.12.1:1/wsman", "file:///etc/hostname", "", "\\\\x"]
)
async def test_nor_one_to_the_node_itself_or_to_no_address(
    serve: Serve, connect: Connect, target: str
) -> None:
    server = serve(Attack("login", attacks.redirect(307, target)))
    with pytest.raises(ProtocolViolation, match="follows no redirect"):
        await connect(server).connect()
    assert server.record.requests == 4  # the probe, an empty message, and the two messages of NTLM


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_proxies_of_the_environment_get_nothing(
    serve: Serve, connect: Connect, bystander: Bystander, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    proxy = f"http://{bystander.host}:{bystander.port}"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.upper(), proxy)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    channel = await connect(serve(tls=tls)).open(ECHO)
    assert await channel.read() == b"hi"
    assert bystander.connections == 0


async def test_a_proxys_login_is_not_answered(serve: Serve, connect: Connect) -> None:
    server = serve(Attack("probe", attacks.proxy_login))
    with pytest.raises(ProtocolViolation, match="proxy"):
        await connect(server).connect()
    assert b"proxy-authorization" not in server.record.received.lower()


async def test_cookies_are_neither_kept_nor_sent_back(serve: Serve, connect: Connect) -> None:
    def with_cookie(
        status: int, fields: list[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        return status, [*fields, ("Set-Cookie", "id=" + "x" * 4000 + "; Path=/")], body

    for stage in ("challenge", "Receive"):
        server = serve(Attack(stage, answer=with_cookie))
        channel = await connect(server).open(ECHO)
        assert await channel.read() == b"hi"
        await channel.close()
        assert server.attack
        assert server.attack.hits >= 1
        assert b"\r\ncookie:" not in server.record.received.lower()


async def test_a_netrc_file_gives_no_password(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login kim password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve()
    await connect(server).connect()
    assert b"basic " not in server.record.received.lower()
