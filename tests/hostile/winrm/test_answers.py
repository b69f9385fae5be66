"""HTTP answers that never end, lie about their length or are bombs: before, during and after the login."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Iterator

import pytest

from tests.hostile.winrm import attacks
from tests.hostile.winrm.attacks import Raw
from tests.hostile.winrm.conftest import Connect, Serve
from tests.hostile.winrm.server import Attack, HostileServer, Stage
from tests.support.memory import PeakMemory
from transports.errors import ChannelLost, TransportError

#: Seconds within which each of these must end; the transport's own limits are 2 to 6 s here.
LIMIT = 240.0
MEMORY = 20 << 20

BODIES = {
    "endless chunks": (attacks.endless_chunks, "a body of more than"),
    "endless body": (attacks.endless_body, "a body of more than"),
    "endless chunk size": (attacks.endless_chunk_size, "a body of more than|chunk size line"),
    "endless trailers": (attacks.endless_trailers, "a body of more than"),
    "gzip": (lambda status: attacks.bomb(status, "gzip"), "compressed"),
    "deflate": (lambda status: attacks.bomb(status, "deflate"), "compressed"),
    "3 GB announced": (lambda status: attacks.announced(status, b"3000000000"), "announced a body of"),
    "more announced than sent": (lambda status: attacks.announced(status, b"500", b"x"), r"within \d s"),
    "negative length": (lambda status: attacks.announced(status, b"-5", b"x" * 5), "Content-Length -5"),
    "no number": (lambda status: attacks.announced(status, b"0x5", b"x" * 5), "Content-Length 0x5"),
    "two lengths": (attacks.two_lengths, r"Content-Length|connection broke"),
    "slow body": (attacks.slow_body, r"did not (end|start) within \d s"),
    "slow headers": (attacks.slow_headers, r"did not (end|start) within \d s"),
}
HEADS = {
    "1xx flood": (attacks.interim_flood, "headers of more than 64.0 KiB"),
    "103": (attacks.early_hints, "HTTP status 103"),
    "endless header": (attacks.endless_header, "headers of more than 64.0 KiB|header line"),
    "many headers": (attacks.many_headers, "headers of more than 64.0 KiB|100 headers"),
    "endless status line": (attacks.endless_status_line, "headers of more than 64.0 KiB|status line"),
    "proxy login": (attacks.proxy_login, "proxy"),
    "silence": (attacks.silence, r"no answer within \d s"),
}


async def outcome(connect: Connect, server: HostileServer) -> TransportError:
    """Connect and open a channel; return the error, after checks of time and memory."""
    transport = connect(server)
    began = time.monotonic()
    with PeakMemory() as memory:
        try:
            channel = await transport.open([sys.executable, "-c", "print(1)"])
            await channel.read()
            await channel.close()
        except TransportError as error:
            caught = error
        else:
            raise AssertionError(f"the attack went unnoticed: {server.attack}")
    assert time.monotonic() - began < LIMIT
    assert memory.grown < MEMORY, f"{memory.grown >> 20} MiB"
    assert server.attack
    assert server.attack.hits >= 1
    return caught


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("attack", BODIES)
async def test_before_the_login(serve: Serve, connect: Connect, attack: str, tls: bool) -> None:
    make, words = BODIES[attack]
    server = serve(Attack("probe", make(401)), tls=tls)
    caught = await outcome(connect, server)
    assert_says(caught, words)
    assert not server.record.credentials


@pytest.mark.parametrize("attack", HEADS)
async def test_headers_before_the_login(serve: Serve, connect: Connect, attack: str) -> None:
    raw, words = HEADS[attack]
    server = serve(Attack("probe", raw))
    assert_says(await outcome(connect, server), words)
    assert not server.record.credentials


def login_cases() -> Iterator[object]:
    """Yield attack, stage and status; CI tries one attack everywhere and each other one once."""
    attacked = ("endless chunks", "gzip", "slow body", "more announced than sent")
    places = (("challenge", 401), ("login", 200), ("login", 401))
    for attack, (stage, status) in itertools.product(attacked, places):
        in_ci = attack == "gzip" or stage == "challenge"
        marks = () if in_ci else pytest.mark.full
        yield pytest.param(attack, stage, status, id=f"{stage}-{status}-{attack}", marks=marks)


@pytest.mark.parametrize(("attack", "stage", "status"), login_cases())
async def test_during_the_login(
    serve: Serve, connect: Connect, attack: str, stage: Stage, status: int
) -> None:
    make, words = BODIES[attack]
    assert_says(await outcome(connect, serve(Attack(stage, make(status)))), words)


def later_cases() -> Iterator[object]:
    """Yield attack, stage and whether over TLS; CI tries one attack everywhere and each other one once."""
    attacked = ("endless chunks", "gzip", "3 GB announced", "slow body")
    stages = ("Get", "Create", "Command", "Receive")
    for attack, stage, tls in itertools.product(attacked, stages, (False, True)):
        in_ci = attack == "gzip" or (stage == "Receive" and not tls)
        place = f"{attack}-{stage}-{'https' if tls else 'http'}"
        yield pytest.param(attack, stage, tls, id=place, marks=() if in_ci else pytest.mark.full)


@pytest.mark.parametrize(("attack", "stage", "tls"), later_cases())
async def test_after_the_login(serve: Serve, connect: Connect, attack: str, stage: Stage, tls: bool) -> None:
    make, words = BODIES[attack]
    assert_says(await outcome(connect, serve(Attack(stage, make(200)), tls=tls)), words)


def header_cases() -> Iterator[object]:
    """Yield stage and attack; CI tries one attack at each stage and each other one once."""
    attacked = (attacks.interim_flood, attacks.endless_header, attacks.silence)
    for stage, raw in itertools.product(("challenge", "login", "Create", "Receive"), attacked):
        in_ci = raw is attacks.endless_header or stage == "login"
        marks = () if in_ci else pytest.mark.full
        yield pytest.param(stage, raw, id=f"{stage}-{raw.__name__}", marks=marks)


@pytest.mark.parametrize(("stage", "raw"), header_cases())
async def test_headers_at_every_stage(serve: Serve, connect: Connect, stage: Stage, raw: Raw) -> None:
    caught = await outcome(connect, serve(Attack(stage, raw)))
    assert_says(caught, "more than 64.0 KiB|header line|within|no new connection")


@pytest.mark.parametrize("argv", [[sys.executable, "-c", "input()"], ["cat"]], ids=["relay", "direct"])
async def test_a_channel_closes_though_the_node_answers_no_more(
    serve: Serve, connect: Connect, argv: list[str]
) -> None:
    server = serve()
    channel = await connect(server).open(argv)
    server.attack = Attack("Delete", attacks.silence)
    began = time.monotonic()
    await channel.close()
    assert time.monotonic() - began < LIMIT
    with pytest.raises(ChannelLost):
        await channel.write(b"x")


def assert_says(error: TransportError, words: str) -> None:
    """The message names what happened and the node, and is short and printable."""
    assert re.search(words, error.what), error.what
    assert "127.0.12.1" in error.where
    assert len(str(error)) < 1000
    assert str(error).isprintable()
