"""Over http: what a service must agree to before it gets a login, and what it gets then."""

from __future__ import annotations

import base64
import struct
import sys
from collections.abc import Callable

import pytest

from tests.hostile.winrm.conftest import Connect, Serve, use
from tests.hostile.winrm.server import Attack
from tests.winrm.conftest import PASSWORD
from transports.errors import AuthenticationFailed, ProtocolViolation, TransportError

Fields = list[tuple[str, str]]
Answer = Callable[[int, Fields, bytes], tuple[int, Fields, bytes]]

SIGN, SEAL, EXTENDED_SECURITY, KEY_128 = 0x10, 0x20, 0x80000, 0x20000000


def with_token(change: Callable[[bytes], bytes]) -> Answer:
    """Change the token of the challenge."""

    def answer(status: int, fields: Fields, body: bytes) -> tuple[int, Fields, bytes]:
        changed = []
        for name, value in fields:
            scheme, _, token = value.partition(" ")
            if name == "WWW-Authenticate" and token:
                value = f"{scheme} {base64.b64encode(change(base64.b64decode(token))).decode()}"
            changed.append((name, value))
        return status, changed, body

    return answer


def without(flag: int) -> Callable[[bytes], bytes]:
    def change(token: bytes) -> bytes:
        (flags,) = struct.unpack_from("<I", token, 20)
        return token[:20] + struct.pack("<I", flags & ~flag) + token[24:]

    return change


def answers(received: bytes) -> int:
    """How many of NTLM's last messages, which hold the response to crack, were received."""
    return received.count(base64.b64encode(b"NTLMSSP\0\3\0\0\0")[:14])


@pytest.mark.parametrize("flag", [SIGN, SEAL, EXTENDED_SECURITY, KEY_128])
async def test_a_challenge_that_weakens_the_seal_gets_no_response(
    serve: Serve, connect: Connect, flag: int
) -> None:
    server = serve(Attack("challenge", answer=with_token(without(flag))))
    with pytest.raises(AuthenticationFailed, match="does not seal messages with 128 bits"):
        await connect(server).connect()
    assert answers(server.record.received) == 0


TOKENS = {
    "empty": lambda token: b"",
    "cut": lambda token: token[:30],
    "only the head": lambda token: token[:12],
    "another message": lambda token: token[:8] + b"\1" + token[9:],
    "noise": lambda token: b"\xff" * 500,
    "long": lambda token: token + b"\0" * 30_000,
}


@pytest.mark.parametrize("wrong", TOKENS)
async def test_a_challenge_that_is_none(serve: Serve, connect: Connect, wrong: str) -> None:
    server = serve(Attack("challenge", answer=with_token(TOKENS[wrong])))
    with pytest.raises(TransportError) as caught:
        await connect(server).connect()
    assert "127.0.12.1" in caught.value.where
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


async def test_a_service_that_asks_for_no_login_gets_no_message(serve: Serve, connect: Connect) -> None:
    seen = []

    def let_in(status: int, fields: Fields, body: bytes) -> tuple[int, Fields, bytes]:
        seen.append(status)
        return (status, fields, body) if len(seen) == 1 else (200, [], b"")

    server = serve(Attack("probe", answer=let_in))
    with pytest.raises(ProtocolViolation, match="requires no login"):
        await connect(server).connect()
    assert b"<" not in server.record.received


async def test_what_a_fake_host_learns_over_http(serve: Serve, connect: Connect) -> None:
    """One NTLMv2 response, which can be attacked offline; neither the password nor a message in clear."""
    server = serve()
    await use(connect(server), [sys.executable, "-c", "print(1)"])
    received = bytes(server.record.received)
    assert answers(received) >= 1
    for secret in (PASSWORD.encode(), PASSWORD.encode("utf-16-le"), base64.b64encode(PASSWORD.encode())):
        assert secret not in received
    for clear in (b"Envelope", b"rsp:Shell", b"sys.stdin", sys.executable.encode()):
        assert clear not in received


async def test_what_a_fake_host_learns_over_https_with_a_pin(serve: Serve, connect: Connect) -> None:
    server = serve(tls=True)
    pin = (("scheme", "https"), ("fingerprint", "SHA256:" + "1" * 64))
    with pytest.raises(TransportError):
        await connect(server, options=pin).connect()
    assert bytes(server.record.received) == b""
