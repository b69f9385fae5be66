"""The contract of all transports on Windows: over its SSH and its WinRM."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lab.addresses import AddressBlock
from lab.wine.home import WindowsHome
from lab.wine.machine import WindowsMachine
from lab.wine.nodes import WindowsSshNode, WindowsWinRMNode
from tests.support.person import Person
from tests.transports.contract import TransportContract, read_all
from transports.base import Channel, Endpoint, Transport
from transports.ssh.transport import SshTransport
from transports.winrm.transport import WinRMTransport

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]


class _HomeOnZ(WindowsHome):
    """Commands start on drive Z:, which is this machine's root: there the contract's paths are valid."""

    @property
    def folder(self) -> str:
        return "Z:\\"


@pytest.fixture
def home(machine: WindowsMachine) -> WindowsHome:
    return _HomeOnZ(machine, "contract", "lab", machine.python())


@pytest.fixture
def address() -> Iterator[str]:
    block = AddressBlock()
    yield block.node(0)
    block.release()


class WindowsContract(TransportContract):
    """What is different: a Windows pid means nothing here, and what is not there ends with Wine's 49."""

    BULK = 24 << 20

    @pytest.fixture(autouse=True)
    def _odd_interpreter(self, machine: WindowsMachine) -> Iterator[None]:
        """An interpreter whose path has a blank, parentheses, Hangul, an apostrophe and signs of cmd.exe."""
        folder = machine.drive / "my (x86) 한글 it's & ^ python"
        folder.symlink_to(machine.drive / "Python311")
        self.python = rf"C:\{folder.name}\python.exe"
        yield
        folder.unlink()

    async def ended(self, transport: Transport, pid: int) -> bool:
        code = f"""
import ctypes, time
kernel = ctypes.WinDLL("kernel32")
SYNCHRONIZE = 0x100000
handle = kernel.OpenProcess(SYNCHRONIZE, False, {pid})
print(not handle or kernel.WaitForSingleObject(handle, 20000) == 0)
"""
        return await read_all(await self.start(transport, code)) == b"True\r\n"

    async def test_a_killed_process_ends_the_channel(self, transport: Transport) -> None:
        channel = await self.start(
            transport, "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        )
        pid = int(await channel.read())
        killer = await self.start(transport, f"import os; os.kill({pid}, 77)")
        await killer.wait()
        assert await channel.read() == b""
        assert await channel.wait() == 77

    async def test_closing_shows_the_process_the_end_of_its_input(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        code = f"""
import sys, os
print(os.getpid(), flush=True)
data = sys.stdin.buffer.read()
open({str(tmp_path / "seen")!r}, "wb").write(data)
"""
        channel = await self.start(transport, code)
        pid = int(await channel.read())
        await channel.write(b"the end")
        await channel.close()
        assert await self.ended(transport, pid)
        assert (tmp_path / "seen").read_bytes() == b"the end"
        await channel.close()

    async def test_closing_in_the_middle_of_much_output_ends_the_process(self, transport: Transport) -> None:
        code = "import os, sys; print(os.getpid(), flush=True)\nwhile True: sys.stdout.write('x' * 65536)"
        channel = await self.start(transport, code)
        line = b""
        while b"\n" not in line:
            line += await channel.read(20)
        await channel.close()
        assert await self.ended(transport, int(line.partition(b"\n")[0]))

    async def test_a_program_that_is_not_there_is_told(self, transport: Transport) -> None:
        channel: Channel = await transport.open(["no-such-program-here", "-c", "pass"])
        said = await read_all(channel)
        assert await channel.wait() not in (0, None)
        assert b"no-such-program-here" in said + channel.stderr()


class TestSsh(WindowsContract):
    @pytest.fixture
    async def transport(
        self, home: WindowsHome, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Transport]:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        node = WindowsSshNode(home, address, lab="contract-ssh", extra={})
        await node.start()
        (tmp_path / "known_hosts").write_text(node.known_hosts_line())
        transport = SshTransport(
            Endpoint(address, node.port, node.user, (node.identity,)),
            known_hosts=tmp_path / "known_hosts",
            ssh_folder=tmp_path,
        )
        yield transport
        await transport.close()
        await node.stop()


class TestWinRM(WindowsContract):
    @pytest.fixture
    async def transport(self, home: WindowsHome, address: str) -> AsyncIterator[Transport]:
        node = WindowsWinRMNode(home, address, lab="contract-winrm", extra={})
        await node.start()
        transport = WinRMTransport(Endpoint(address, node.port, node.user), Person(node.password))
        yield transport
        await transport.close()
        await node.stop()
