"""Ping where raw ICMP is not permitted: the next method is used, and the result names it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agent.checks import echo, services
from agent.operations.netprobe import netprobe

UNPRIVILEGED_USER = 65534


class Call:
    """The arguments of one request."""

    def __init__(self, **args: object) -> None:
        self.args = args


@pytest.fixture
def open_port() -> Iterator[int]:
    """A port of this machine that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def probe(protocol: str, port: int) -> dict[str, object]:
    return {"transport": "ssh", "protocol": protocol, "scheme": "", "port": port}


def not_permitted(*_: object, **__: object) -> None:
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
        f"--reuid={UNPRIVILEGED_USER}",
        "--clear-groups",
        "--bounding-set=-all",
        sys.executable,
        "-c",
        program,
    ]
    root = Path(echo.__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "raw" not in done.stdout, "raw sockets need a right that this user lacks"


def test_without_icmp_a_tcp_handshake_is_measured_and_the_result_names_it(
    open_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("_datagram", "_raw", "_program", "_system_call"):
        monkeypatch.setattr(echo, method, not_permitted)
    found = netprobe(Call(host="127.0.0.1", services=[probe("tcp", open_port)]))  # type: ignore[arg-type]
    assert found["ping"]["method"] == "tcp"
    assert found["ping"]["received"] == 5
    nowhere = netprobe(Call(host="127.0.0.1", services=[]))  # type: ignore[arg-type]
    assert nowhere["ping"] == {"method": None, "sent": 0, "received": 0, "ms": []}


@pytest.mark.parametrize("line", [b"SSH-2.0-" + b"x" * 3000 + b"\r\n", b"x" * 100_000])
def test_a_huge_banner_is_cut(line: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client, suppress(OSError):
                client.sendall(line)

        serving = threading.Thread(target=serve)
        serving.start()
        found = services.find("127.0.0.1", probe("ssh", listening.getsockname()[1]))  # type: ignore[arg-type]
        serving.join()
    assert found["banner"].encode() == line.strip()[:255]
    assert found["outcome"] == ("open" if line.startswith(b"SSH-") else "foreign")


def test_a_name_that_cannot_have_an_address_is_reported() -> None:
    found = netprobe(Call(host="x" * 70, services=[probe("ssh", 22)]))  # type: ignore[arg-type]
    assert found["name"]["addresses"] == []
    assert found["name"]["error"]
    assert found["ping"] is None
