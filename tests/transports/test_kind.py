"""How a declared transport takes part in ``transport: auto``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.wire.message import Message
from transports.auto import auto_kind
from transports.auto.transport import AutoTransport
from transports.base import Channel, Endpoint, NoPrompts, Prompts, Transport
from transports.errors import TransportError, Unreachable
from transports.kind import (
    AutoMethod,
    Choice,
    Option,
    Service,
    ServiceCheck,
    Text,
    TransportKind,
    on_given_port,
)
from transports.local.transport import LocalTransport
from transports.registry import KINDS


class Closed(Transport):
    """A transport whose service is off."""

    async def connect(self) -> None:
        raise Unreachable(Message("off"))

    async def open(self, argv: Sequence[str]) -> Channel:
        raise Unreachable(Message("off"))

    async def close(self) -> None:
        pass


def kind(name: str, *methods: AutoMethod, options: tuple[Option, ...] = ()) -> TransportKind:
    def create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path) -> Transport:
        raise AssertionError("auto creates transports by the methods only")

    return TransportKind(name=name, summary=Message(name), create=create, auto=methods, options=options)


def method(name: str, order: int, seen: list[Endpoint], transport: type[Transport] = Closed) -> AutoMethod:
    def create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path, reach: float) -> Transport:
        seen.append(endpoint)
        return transport(endpoint, prompts)

    return AutoMethod(name=name, order=order, create=create)


async def test_methods_of_all_transports_are_tried_in_their_order(tmp_path: Path) -> None:
    seen: list[Endpoint] = []
    auto = auto_kind(
        [
            kind("b", method("b2", 40, seen), method("b1", 5, seen), options=(Option("of-b", Text(), ""),)),
            kind("a", method("a", 30, seen, LocalTransport), options=(Option("of-a", Text(), ""),)),
            kind("alone"),
        ]
    )
    assert [member.name for member in auto.members] == ["b", "a"]
    endpoint = Endpoint("gpu1", options=(("of-a", "1"), ("of-b", "2")))
    transport = auto.create(endpoint, NoPrompts(), tmp_path / "known_hosts")
    assert isinstance(transport, AutoTransport)
    await transport.connect()
    assert transport.chosen == "a"
    assert [failure.method for failure in transport.failures] == ["b1"]
    # Each method sees the options of its own transport.
    assert [dict(one.options) for one in seen] == [{"of-b": "2"}, {"of-a": "1"}]
    await transport.close()


async def test_a_method_that_the_options_exclude_or_that_is_forbidden_is_not_tried(tmp_path: Path) -> None:
    seen: list[Endpoint] = []
    excluded = AutoMethod(
        name="excluded", order=1, create=method("", 0, seen).create, admits=lambda endpoint: False
    )
    forbidden = AutoMethod(
        name="forbidden",
        order=2,
        create=method("", 0, seen).create,
        forbids=lambda endpoint, known_hosts: Unreachable(Message("too dangerous")),
    )
    auto = auto_kind([kind("a", excluded, forbidden)])
    with pytest.raises(TransportError, match="over forbidden: too dangerous") as caught:
        await auto.create(Endpoint("gpu1"), NoPrompts(), tmp_path / "known_hosts").connect()
    assert "excluded" not in str(caught.value)
    assert seen == []


def test_two_transports_of_auto_cannot_have_options_of_one_name() -> None:
    option = (Option("realm", Text(), ""),)
    with pytest.raises(ValueError, match="a and b both have an option 'realm'"):
        auto_kind(
            [kind("a", method("a", 1, []), options=option), kind("b", method("b", 2, []), options=option)]
        )
    auto_kind([kind("a", method("a", 1, []), options=option), kind("b", options=option)])


def test_auto_uses_what_its_members_use() -> None:
    assert KINDS["auto"].uses == KINDS["ssh"].uses | KINDS["winrm"].uses
    assert [member.name for member in KINDS["auto"].members] == ["ssh", "winrm"]
    assert KINDS["local"].members == (KINDS["local"],)


def test_services_are_on_the_port_of_the_endpoint() -> None:
    check = ServiceCheck(title=Message("x"), services=(Service("tcp", 7000),))
    assert check.select is on_given_port
    assert check.select(check.services, Endpoint("gpu1")) == (Service("tcp", 7000),)
    assert check.select(check.services, Endpoint("gpu1", port=7001)) == (Service("tcp", 7001),)


@pytest.mark.parametrize(
    ("port", "options", "expected"),
    [
        (None, (), [("https", 5986), ("http", 5985)]),
        (None, (("scheme", "http"),), [("http", 5985)]),
        (5986, (), [("https", 5986)]),
        (15985, (), [("http", 15985)]),
        (15986, (("scheme", "https"),), [("https", 15986)]),
    ],
)
def test_the_services_of_winrm(
    port: int | None, options: tuple[tuple[str, str], ...], expected: list[tuple[str, int]]
) -> None:
    check = KINDS["winrm"].check
    assert check is not None
    services = check.select(check.services, Endpoint("gpu1", port, options=options))
    assert [(service.scheme, service.port) for service in services] == expected


def test_the_options_of_winrm_are_those_that_it_reads() -> None:
    from transports.winrm.options import read_options

    words = {"scheme": "https", "fingerprint": "ab" * 32}
    for option in KINDS["winrm"].options:
        values = option.type.words if isinstance(option.type, Choice) else (words.get(option.name, ""),)
        for value in values:
            chosen = {**words, option.name: value}
            read_options(Endpoint("gpu1", options=tuple(chosen.items())))
