"""After the login: XML bombs, sealed bodies with wrong lengths, and answers of the wrong kind."""

from __future__ import annotations

import asyncio
import itertools
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from lab.winrm import soap
from tests.hostile.winrm import attacks
from tests.hostile.winrm.bystander import Bystander
from tests.hostile.winrm.conftest import Connect, Serve, use
from tests.hostile.winrm.server import Attack, HostileServer, Stage
from tests.support.memory import PeakMemory
from tests.support.waiting import until
from transports.errors import ChannelLost, ProtocolViolation, TransportError

ECHO = [sys.executable, "-c", "import os; os.write(1, b'hi')"]
LIMIT = 240.0
MEMORY = 20 << 20
STAGES: tuple[Stage, ...] = ("Get", "Create", "Receive")
Document = Callable[[bytes], bytes]
Answer = Callable[[int, list[tuple[str, str]], bytes], tuple[int, list[tuple[str, str]], bytes]]

XML = {
    "entities": (attacks.laughs, "document type"),
    "a file as entity": (attacks.external("file:///etc/hostname"), "document type"),
    "a file as document type": (attacks.external_subset("file:///etc/hostname"), "document type"),
    "depth": (attacks.deep, "64 levels"),
    "breadth": (attacks.wide, "10000 elements"),
    "attributes": (attacks.attributes, "10000 elements"),
    "namespaces": (attacks.declarations, "10000 elements"),
    "an undeclared prefix": (attacks.undeclared_prefix, "cannot be read|could not be read"),
    "a brace in a namespace": (attacks.brace_in_a_namespace, "cannot be read|could not be read"),
    "EBCDIC": (attacks.in_ebcdic, "encoding cp500"),
    "UTF-16": (attacks.in_utf16, "cannot be read|could not be read"),
}


async def refused(connect: Connect, server: HostileServer, words: str) -> TransportError:
    began = time.monotonic()
    with PeakMemory() as memory, pytest.raises(TransportError, match=words) as caught:
        await use(connect(server), ECHO)
    assert time.monotonic() - began < LIMIT
    assert memory.grown < MEMORY, f"{memory.grown >> 20} MiB"
    assert server.attack
    assert server.attack.hits >= 1
    assert "127.0.12.1" in caught.value.where
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    return caught.value


def xml_cases() -> Iterator[object]:
    """Yield attack, stage and whether over TLS; CI tries one attack everywhere and each other one once."""
    for attack, stage, tls in itertools.product(XML, STAGES, (False, True)):
        in_ci = attack == "entities" or (stage == "Create" and not tls)
        place = f"{attack}-{stage}-{'https' if tls else 'http'}"
        yield pytest.param(attack, stage, tls, id=place, marks=() if in_ci else pytest.mark.full)


@pytest.mark.parametrize(("attack", "stage", "tls"), xml_cases())
async def test_xml_bombs(serve: Serve, connect: Connect, attack: str, stage: Stage, tls: bool) -> None:
    document, words = XML[attack]
    await refused(connect, serve(Attack(stage, document=document), tls=tls), words)


async def test_an_external_entity_is_not_fetched(serve: Serve, connect: Connect) -> None:
    with Bystander("127.0.12.2") as bystander:
        server = serve(Attack("Create", document=attacks.external(bystander.url)))
        caught = await refused(connect, server, "document type")
        assert isinstance(caught, ProtocolViolation)
    assert bystander.connections == 0


def sealed(change: Callable[[bytes], bytes]) -> Answer:
    return lambda status, fields, body: (status, fields, change(body))


def unsealed(
    status: int, fields: list[tuple[str, str]], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    plain = soap.envelope("x", "<r/>")
    others = [field for field in fields if field[0] != "Content-Type"]
    return status, [*others, ("Content-Type", soap.CONTENT_TYPE)], plain


def resized_signature(size: int) -> Callable[[bytes], bytes]:
    marker = b"application/octet-stream\r\n"

    def change(body: bytes) -> bytes:
        start = body.index(marker) + len(marker)
        return body[:start] + struct.pack("<i", size) + body[start + 4 :]

    return change


SEALED: dict[str, tuple[Answer, str]] = {
    "not sealed": (unsealed, "without sealing"),
    "empty": (sealed(lambda body: b""), "read"),
    "truncated": (sealed(lambda body: body[: len(body) // 2]), "read"),
    "no closing boundary": (sealed(lambda body: body[:-24]), "read"),
    "something after the end": (sealed(lambda body: body + b"more"), "read"),
    "longer than sealed": (sealed(lambda body: body.replace(b"Length=", b"Length=1")), "read"),
    "3 GB announced inside": (sealed(lambda body: body.replace(b"Length=", b"Length=300000")), "read"),
    "a long number": (sealed(lambda body: body.replace(b"Length=", b"Length=%d" % 10**4000)), "read"),
    "negative signature": (sealed(resized_signature(-16)), "read"),
    "no signature": (sealed(resized_signature(0)), "read"),
    "huge signature": (sealed(resized_signature(0x7FFFFFFF)), "read"),
    "many parts": (sealed(lambda body: body[:-24] * 50 + body[-24:]), "read"),
    "boundaries only": (sealed(lambda body: b"--Encrypted Boundary\r\n" * 25_000), "read"),
}  # fmt: skip


def sealed_cases() -> Iterator[object]:
    """Yield attack and stage; CI tries one attack at each stage and each other one once."""
    for attack, stage in itertools.product(SEALED, STAGES):
        in_ci = attack == "not sealed" or stage == "Create"
        yield pytest.param(attack, stage, id=f"{attack}-{stage}", marks=() if in_ci else pytest.mark.full)


@pytest.mark.parametrize(("attack", "stage"), sealed_cases())
async def test_sealed_bodies(serve: Serve, connect: Connect, attack: str, stage: Stage) -> None:
    answer, words = SEALED[attack]
    await refused(connect, serve(Attack(stage, answer=answer)), words)


def instead(body: str) -> Document:
    return lambda document: soap.envelope("x", body)


SHELL_ID = '<w:Selector Name="ShellId">{}</w:Selector>'
WRONG: list[tuple[Stage, Document, str]] = [
    ("Get", instead("<MaxEnvelopeSizekb>" + "9" * 5000 + "</MaxEnvelopeSizekb>"), ""),
    ("Create", instead("<x/>"), "cannot be read"),
    ("Create", instead(SHELL_ID.format("")), "identifier"),
    ("Create", instead(SHELL_ID.format("A" * 500_000)), "identifier"),
    ("Create", instead(SHELL_ID.format("&lt;/w:Selector>")), "identifier"),
    ("Command", instead("<rsp:CommandId>" + "x" * 100_000 + "</rsp:CommandId>"), "identifier"),
    ("Receive", instead('<rsp:Stream Name="stdout">%%%%</rsp:Stream>'), "did not start"),
    ("Receive", instead("<rsp:Stream>eA==</rsp:Stream>"), "read"),
    ("Receive", instead('<a State="CommandState/Done"/>'), "read"),
    (
        "Receive",
        instead('<a State="CommandState/Done"/><rsp:ExitCode>' + "9" * 9000 + "</rsp:ExitCode>"),
        "read",
    ),
    ("Receive", instead("<rsp:nothing/>"), "did not start"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
async def test_answers_of_the_wrong_kind(serve: Serve, connect: Connect, number: int) -> None:
    stage, document, words = WRONG[number]
    server = serve(Attack(stage, document=document))
    if not words:
        await connect(server).connect()
        return
    await refused(connect, server, words)


async def test_a_wrong_answer_to_the_end_of_a_shell_hinders_nobody(serve: Serve, connect: Connect) -> None:
    server = serve(Attack("Delete", document=instead("<x/>")))
    channel = await connect(server).open(ECHO)
    assert await channel.read() == b"hi"
    began = time.monotonic()
    await channel.close()
    assert time.monotonic() - began < LIMIT
    assert server.attack
    assert 1 <= server.attack.hits <= 3, "a deletion that failed is repeated, a few times only"


async def test_a_node_that_answers_at_once_with_nothing_keeps_nobody_busy(
    serve: Serve, connect: Connect
) -> None:
    server = serve()
    channel = await connect(server).open([sys.executable, "-c", "input()"])
    server.attack = Attack("Receive", document=instead("<rsp:nothing/>"))
    attack, before, began = server.attack, server.record.requests, time.monotonic()
    reading = asyncio.create_task(channel.read())
    await until(lambda: attack.hits > 20 or reading.done())
    assert (server.record.requests - before) / (time.monotonic() - began) < 40
    assert attack.hits > 1
    reading.cancel()
    with suppress(ChannelLost, asyncio.CancelledError):
        await reading


async def test_a_relay_that_reports_nothing_is_lost(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.winrm.session.SILENCE", 1.0)
    server = serve()
    channel = await connect(server).open([sys.executable, "-c", "input()"])
    server.attack = Attack("Receive", document=instead("<rsp:nothing/>"))
    with pytest.raises(ChannelLost, match="nothing came from the relay"):
        await asyncio.wait_for(channel.read(), LIMIT)


@pytest.mark.parametrize("attack", ["entities", "depth"])
async def test_a_program_without_the_relay(serve: Serve, connect: Connect, attack: str) -> None:
    document, words = XML[attack]
    channel = await connect(serve(Attack("Receive", document=document))).open(["cat"])
    with pytest.raises(ChannelLost, match=words):
        await channel.read()
