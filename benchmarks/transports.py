"""What each transport carries on loopback: ``python -m benchmarks.transports [--megabytes N] [--wine]``.

Round trip of 64 bytes (median), megabytes a second up and down through one channel, and seconds to open
a channel. Beside them, for scale: raw pywinrm ``run_cmd`` and asyncssh's SFTP over the same servers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import winrm

from lab.lab import Lab
from lab.node import LabNode
from lab.ssh_node import SshNode
from lab.winrm import Accounts, WinRMServer, posix_shell, self_signed
from transports.base import Channel, Endpoint, NoPrompts, Transport
from transports.local.transport import LocalTransport
from transports.ssh.transport import SshTransport
from transports.winrm.transport import WinRMTransport

#: Answers each request ``<op><8 hex digits>``: e echoes that many bytes, s receives them, g sends them.
_PEER = """
import sys
i, o = sys.stdin.buffer, sys.stdout.buffer
while head := i.read(9):
    size = int(head[1:], 16)
    if head[:1] == b"e":
        o.write(i.read(size))
    elif head[:1] == b"s":
        while size: size -= len(i.read(min(size, 65536)))
        o.write(b"k")
    else:
        while size: size -= o.write(b"x" * min(size, 65536))
    o.flush()
"""
_ROUNDS = 100


@dataclass(frozen=True)
class Row:
    """Figures of one method; None if it does not support the measurement."""

    name: str
    opening: float
    round_trip_ms: float
    up: float | None
    down: float | None

    def __str__(self) -> str:
        up, down = (f"{value:8.1f}" if value is not None else "       -" for value in (self.up, self.down))
        return f"{self.name:34} {self.opening:8.2f} {self.round_trip_ms:10.2f} {up} {down}"


class _Knows(NoPrompts):
    def __init__(self, password: str) -> None:
        self._password = password

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        return self._password


async def _read(channel: Channel, size: int) -> None:
    while size:
        size -= len(await channel.read(min(size, 1 << 20)))


async def _ask(channel: Channel, operation: str, size: int, body: bytes = b"") -> None:
    await channel.write(f"{operation}{size:08x}".encode() + body)


async def measure(name: str, transport: Transport, python: str, megabytes: int) -> Row:
    """Measure one transport."""
    await transport.connect()
    size = megabytes << 20
    began = time.perf_counter()
    channel = await transport.open([python, "-I", "-c", "import sys;exec(sys.stdin.buffer.readline())"])
    await channel.write(f"exec({_PEER!r})\n".encode())
    await _ask(channel, "e", 1, b"!")
    await _read(channel, 1)
    opening = time.perf_counter() - began
    trips = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        await _ask(channel, "e", 64, b"x" * 64)
        await _read(channel, 64)
        trips.append(time.perf_counter() - began)
    block = bytes(range(256)) * 4096
    began = time.perf_counter()
    await _ask(channel, "s", size)
    for _ in range(megabytes):
        await channel.write(block)
    await _read(channel, 1)
    up = size / 1e6 / (time.perf_counter() - began)
    began = time.perf_counter()
    await _ask(channel, "g", size)
    await _read(channel, size)
    down = size / 1e6 / (time.perf_counter() - began)
    await channel.close()
    await transport.close()
    return Row(name, opening, statistics.median(trips) * 1e3, up, down)


def raw_pywinrm(server: WinRMServer, user: str, password: str) -> Row:
    """One command at a time, as pywinrm's Session does it, without a stream."""
    began = time.perf_counter()
    session = winrm.Session(server.url, (user, password), transport="ntlm", proxy=None)
    session.run_cmd("true")
    opening = time.perf_counter() - began
    trips = []
    for _ in range(20):
        began = time.perf_counter()
        session.run_cmd("true")
        trips.append(time.perf_counter() - began)
    began = time.perf_counter()
    size = len(session.run_cmd("head -c 4194304 /dev/zero").std_out)
    down = size / 1e6 / (time.perf_counter() - began)
    return Row("(raw pywinrm run_cmd)", opening, statistics.median(trips) * 1e3, None, down)


async def asyncssh_sftp(node: LabNode, megabytes: int) -> Row:
    """A file in each direction, as the usual copy does it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.write_bytes(bytes(range(256)) * (megabytes << 12))
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(
            _Open, node.address, 0, server_host_keys=[key], sftp_factory=True
        )
        async with (
            asyncssh.connect(node.address, server.get_port(), known_hosts=None, username="x") as connection,
            connection.start_sftp_client() as sftp,
        ):
            began = time.perf_counter()
            await sftp.stat(folder)
            trip = time.perf_counter() - began
            began = time.perf_counter()
            await sftp.put(str(source), f"{folder}/up")
            up = source.stat().st_size / 1e6 / (time.perf_counter() - began)
            began = time.perf_counter()
            await sftp.get(f"{folder}/up", f"{folder}/down")
            down = source.stat().st_size / 1e6 / (time.perf_counter() - began)
        server.close()
    return Row("(asyncssh SFTP)", 0.0, trip * 1e3, up, down)


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


def _ssh(node: LabNode, folder: Path) -> SshTransport:
    assert isinstance(node, SshNode)
    (folder / "known_hosts").write_text(node.known_hosts_line())
    endpoint = Endpoint(node.address, node.port, node.user, (node.identity,))
    return SshTransport(endpoint, known_hosts=folder / "known_hosts", ssh_folder=folder)


async def posix(megabytes: int, folder: Path) -> AsyncIterator[Row]:
    """Measure the transports to this machine's own Python."""
    python = sys.executable
    yield await measure("local", LocalTransport(Endpoint("localhost")), python, megabytes)
    async with Lab(1) as lab:
        (node,) = lab.nodes
        yield await measure("ssh (asyncssh's server)", _ssh(node, folder), python, megabytes)
        yield await asyncssh_sftp(node, megabytes)
        accounts = Accounts({"bench": "B3nchmark"})
        for scheme in ("http", "https"):
            certificate = self_signed(folder, [node.address]) if scheme == "https" else None
            with WinRMServer(
                accounts, posix_shell(folder), host=node.address, certificate=certificate
            ) as server:
                options = (("scheme", scheme),)
                if certificate:
                    options += (("ca", str(certificate.chain)),)
                endpoint = Endpoint(node.address, server.port, "bench", options=options)
                name = f"winrm ({scheme}, NTLM{', sealed' if scheme == 'http' else ''})"
                yield await measure(name, WinRMTransport(endpoint, _Knows("B3nchmark")), python, megabytes)
                if scheme == "http":
                    yield await asyncio.to_thread(raw_pywinrm, server, "bench", "B3nchmark")


async def wine(megabytes: int, folder: Path) -> AsyncIterator[Row]:
    """Measure the transports to Windows Python under Wine."""
    from lab.wine.machine import WindowsMachine

    with WindowsMachine() as machine:
        async with Lab(2, winrm=1, windows=machine) as lab:
            over_ssh, over_winrm = lab.nodes
            python = machine.python()
            yield await measure("ssh (Windows, Wine)", _ssh(over_ssh, folder), python, megabytes)
            endpoint = Endpoint(over_winrm.address, over_winrm.port, over_winrm.user)
            transport = WinRMTransport(endpoint, _Knows(over_winrm.password))
            yield await measure("winrm (Windows, Wine)", transport, python, megabytes)


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--wine", action="store_true")
    options = parser.parse_args()
    print(f"{'':34} {'open s':>8} {'trip ms':>10} {'up MB/s':>8} {'dn MB/s':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in (posix, wine) if options.wine else (posix,):
            async with contextlib.aclosing(rows(options.megabytes, Path(folder))) as measured:
                async for row in measured:
                    print(row, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
