"""Whatever breaks, a channel loses nothing, doubles nothing, or says why it ended."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest

from lab.winrm import Injection, Quotas, WinRMServer
from lab.winrm.faults import envelope_too_large, no_shell, too_many_shells
from tests.winrm.conftest import QUICK, Connect, Serve
from transports.base import Channel
from transports.errors import ChannelLost, ServiceRefused, TransportError
from transports.winrm.connection import Timeouts

PYTHON = sys.executable
CAT = """
import sys
while data := sys.stdin.buffer.read1(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""

#: Pseudo-random bytes that both sides can make: the digest of a counter.
STREAM = """
import hashlib, sys
def stream(size):
    for number in range(size // 65536):
        yield hashlib.shake_128(b"%d" % number).digest(65536)
"""


async def exchange(channel: Channel, size: int) -> bool:
    """Send ``size`` bytes while reading, and say whether they came back the same."""
    data = hashlib.shake_128(b"seed").digest(size)

    async def send() -> None:
        for start in range(0, size, 50_000):
            await channel.write(data[start : start + 50_000])
        await channel.write_eof()

    sending = asyncio.create_task(send())
    back = bytearray()
    while part := await channel.read():
        back += part
    await sending
    return back == data and await channel.wait() == 0


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "drop-inside", "bad-seal"])
@pytest.mark.parametrize("action", ["Send", "Receive"])
async def test_broken_connections(serve: Serve, connect: Connect, action: str, kind: str, tls: bool) -> None:
    if tls and kind == "bad-seal":
        kind = "drop-inside"  # nothing is sealed under TLS
    server = serve(tls=tls, quotas=Quotas(max_envelope_kb=64))
    channel = await connect(server).open([PYTHON, "-c", CAT])
    server.injector.every(4, action, kind)  # type: ignore[arg-type]
    assert await exchange(channel, 400_000)
    assert server.injector.hits >= 2


@pytest.mark.parametrize("status", [400, 500, 503])
@pytest.mark.parametrize("action", ["Send", "Receive"])
async def test_http_errors(serve: Serve, connect: Connect, action: str, status: int) -> None:
    server = serve()
    channel = await connect(server).open([PYTHON, "-c", CAT])
    server.injector.inject(Injection(action, "status", status=status, skip=2, times=3))
    assert await exchange(channel, 900_000)
    assert server.injector.hits == 3


@pytest.mark.parametrize("kind", ["hold-before", "hold-after"])
@pytest.mark.parametrize("action", ["Send", "Receive"])
async def test_an_answer_that_does_not_come(serve: Serve, connect: Connect, action: str, kind: str) -> None:
    """The request is taken for lost after Timeouts.answer; the held one is let go later and does no harm."""
    server = serve()
    timeouts = Timeouts(operation=1, answer=2, outage=20.0, pause=0.02)
    channel = await connect(server, timeouts=timeouts).open([PYTHON, "-c", CAT])
    injection = server.injector.inject(Injection(action, kind, skip=1))  # type: ignore[arg-type]

    async def let_go() -> None:
        while not injection.hit.is_set():
            await asyncio.sleep(0.01)
        seen = server.injector.seen(action)
        while server.injector.seen(action) < seen + 1:
            await asyncio.sleep(0.01)
        injection.release.set()

    letting_go = asyncio.create_task(let_go())
    assert await exchange(channel, 900_000)
    await letting_go


async def test_a_restarted_listener_is_found_again(serve: Serve, connect: Connect) -> None:
    server = serve()
    channel = await connect(server).open([PYTHON, "-c", CAT])
    await channel.write(b"before")
    assert await channel.read() == b"before"
    server.pause()
    await channel.write(b"while nobody listens")
    server.start()
    assert await channel.read() == b"while nobody listens"


async def test_a_restarted_service_has_ended_its_shells_and_that_is_said(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    transport = connect(server)
    channel = await transport.open([PYTHON, "-c", CAT])
    await channel.write(b"before")
    assert await channel.read() == b"before"
    server.stop()
    server.start()
    with pytest.raises(ChannelLost, match="restarted"):
        await channel.read()
    assert await exchange(await transport.open([PYTHON, "-c", CAT]), 1000)


async def test_an_outage_that_lasts_is_given_up(serve: Serve, connect: Connect) -> None:
    server = serve()
    timeouts = Timeouts(operation=1, answer=2, outage=0.5, pause=0.02)
    channel = await connect(server, timeouts=timeouts).open([PYTHON, "-c", CAT])
    server.pause()
    with pytest.raises(ChannelLost, match="no new connection worked"):
        await channel.read()
    with pytest.raises(ChannelLost):
        await channel.write(b"x")
    with pytest.raises(ChannelLost):
        await channel.wait()


@pytest.mark.parametrize("action", ["Send", "Receive"])
async def test_a_shell_deleted_under_us(serve: Serve, connect: Connect, action: str) -> None:
    server = serve()
    channel = await connect(server).open([PYTHON, "-c", CAT])
    server.injector.inject(Injection(action, "fault", fault=no_shell, times=99))
    with pytest.raises(ChannelLost, match=r"restarted|deleted"):
        await exchange(channel, 1_000_000)


async def test_an_envelope_that_becomes_too_large(serve: Serve, connect: Connect) -> None:
    server = serve()
    channel = await connect(server).open([PYTHON, "-c", CAT])
    server.injector.inject(Injection("Send", "fault", fault=envelope_too_large, skip=1, times=2))
    assert await exchange(channel, 900_000)


@pytest.mark.parametrize("action", ["Create", "Command"])
@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "status"])
async def test_opening_begins_anew(serve: Serve, connect: Connect, action: str, kind: str) -> None:
    server = serve()
    server.injector.inject(Injection(action, kind, status=503))  # type: ignore[arg-type]
    assert await exchange(await connect(server).open([PYTHON, "-c", CAT]), 1000)


async def test_a_lost_start_line_begins_anew(serve: Serve, connect: Connect) -> None:
    server = serve()
    server.injector.inject(Injection("Send", "drop-after"))
    assert await exchange(await connect(server).open([PYTHON, "-c", CAT]), 1000)


async def test_opening_fails_with_the_reason_when_it_never_works(serve: Serve, connect: Connect) -> None:
    server = serve()
    transport = connect(server)
    server.injector.inject(Injection("Create", "status", status=503, times=99))
    with pytest.raises(TransportError, match="503"):
        await transport.open([PYTHON, "-c", CAT])
    server.injector.clear()
    server.injector.inject(Injection("Create", "fault", fault=too_many_shells, times=99))
    with pytest.raises(ServiceRefused, match="quota"):
        await transport.open([PYTHON, "-c", CAT])


async def test_a_login_refused_in_mid_session_is_not_hammered(serve: Serve, connect: Connect) -> None:
    server = serve(quotas=Quotas(max_timeout_ms=500))
    channel = await connect(server).open([PYTHON, "-c", CAT])
    accounts = server.accounts
    accounts.change("tester", "another")
    server.cut_connections()
    with pytest.raises(TransportError, match="login"):
        await channel.read()
    assert accounts.refusals <= 6


async def test_a_long_stream_with_faults_arrives_bit_exact(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    """200 MB down, while answers and connections are lost all the time."""
    size = 200 << 20
    server: WinRMServer = serve()
    code = STREAM + f"for part in stream({size}): sys.stdout.buffer.write(part)"
    channel = await connect(server, timeouts=QUICK).open([PYTHON, "-c", code])
    server.injector.every(97, "Receive", "drop-after")
    server.injector.every(131, "Receive", "drop-inside")
    server.injector.every(11, "Send", "drop-after")
    server.injector.every(17, "Send", "drop-before")
    expected = hashlib.sha256()
    for number in range(size // 65536):
        expected.update(hashlib.shake_128(b"%d" % number).digest(65536))
    got = hashlib.sha256()
    received = 0
    while part := await channel.read(1 << 20):
        got.update(part)
        received += len(part)
    assert (received, got.hexdigest()) == (size, expected.hexdigest())
    assert await channel.wait() == 0
    assert server.injector.hits > 20
