"""Ping where raw ICMP is not permitted: the next way is taken, and which one is told."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.checks import echo
from agent.operations.netprobe import netprobe

NOBODY = 65534


class Call:
    """The arguments of one request."""

    def __init__(self, **args: object) -> None:
        self.args = args


@pytest.fixture
def door() -> Iterator[int]:
    """A port of this machine that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def barred(*_: object, **__: object) -> None:
    raise PermissionError("not permitted")


def test_round_trips_to_this_machine() -> None:
    found = echo.echo("127.0.0.1")
    assert found["received"] == found["sent"] > 0
    assert all(0 < ms < 1000 for ms in found["ms"])


@pytest.mark.namespaces
def test_a_user_without_rights_gets_an_answer_too() -> None:
    program = "from agent.checks.echo import echo; print(echo('127.0.0.1'))"
    words = [
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        "--bounding-set=-all",
        sys.executable,
        "-c",
        program,
    ]
    root = Path(echo.__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "raw" not in done.stdout, "raw sockets need a right that this user lacks"


def test_without_any_icmp_a_door_is_timed_instead_and_that_is_said(
    door: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ("_datagram", "_raw", "_program", "_system_call"):
        monkeypatch.setattr(echo, way, barred)
    found = netprobe(Call(host="127.0.0.1", ssh=door, winrm=[]))  # type: ignore[arg-type]
    assert found["ping"]["method"] == "tcp"
    assert found["ping"]["received"] == 5
    nowhere = netprobe(Call(host="127.0.0.1", ssh=None, winrm=[]))  # type: ignore[arg-type]
    assert nowhere["ping"] == {"method": None, "sent": 0, "received": 0, "ms": []}


def test_a_name_that_can_have_no_address_is_no_crash() -> None:
    found = netprobe(Call(host="x" * 70, ssh=22, winrm=[["http", 5985]]))  # type: ignore[arg-type]
    assert found["name"]["addresses"] == []
    assert found["name"]["error"]
    assert found["ping"] is None
