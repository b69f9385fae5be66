"""Each entry of ``recorded/outputs.json`` is the output of a program and the fact in it."""

from __future__ import annotations

from typing import Any

import pytest

from agent.checks import echo, portbinding, services
from tests.preflight.recordings import recorded

OUTPUTS = recorded("outputs")


def entries(command: str) -> list[Any]:
    return [
        pytest.param(entry, id=entry.get("about", ""))
        for entry in OUTPUTS
        if entry["command"].startswith(command)
    ]


@pytest.mark.parametrize("entry", entries("netsh"))
def test_reserved_ports(entry: dict[str, Any]) -> None:
    assert [list(span) for span in portbinding.parse_excluded(entry["output"])] == entry["fact"]


@pytest.mark.parametrize("entry", entries("netstat"))
def test_who_listens_on_windows(entry: dict[str, Any]) -> None:
    assert portbinding.parse_netstat(entry["output"], entry["port"]) == entry["fact"]


@pytest.mark.parametrize("entry", entries("/proc/net/tcp"))
def test_who_listens_on_linux(entry: dict[str, Any]) -> None:
    found = portbinding.parse_tcp_table(entry["output"], entry["port"])
    assert found is not None
    assert list(found) == entry["fact"]


@pytest.mark.parametrize("entry", entries("ping"))
def test_answers_to_ping(entry: dict[str, Any]) -> None:
    assert echo.parse_ping(entry["output"]) == entry["fact"]


@pytest.mark.parametrize("entry", entries("Identify"))
def test_the_product_of_a_winrm_service(entry: dict[str, Any]) -> None:
    assert services.product(entry["output"]) == entry["fact"]


def test_an_echo_request_has_a_right_checksum() -> None:
    packet = echo.echo_request(0x1234, 7)
    total = sum(int.from_bytes(packet[at : at + 2], "big") for at in range(0, len(packet), 2))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    assert total == 0xFFFF
