"""What every transport must do, tested from outside with real processes.

To put a transport under the contract, subclass in a test module of your own and give the class (or the
module, or a conftest) a fixture ``transport``::

    class TestWinRM(TransportContract):
        @pytest.fixture
        async def transport(self, server):
            transport = WinRMTransport(...)
            yield transport
            await transport.close()

The transport need not be connected. Its node must be this machine, since the tests look at files and
processes, and must run ``python``. Where bulk takes long, lower ``BULK``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import settled, until
from transports.base import STDERR_KEPT, Channel, Transport
from transports.errors import ChannelLost, CommandNotStarted

_ECHO = """
import sys
while data := sys.stdin.buffer.read1(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""


async def read_all(channel: Channel) -> bytes:
    """Return the rest of stdout."""
    parts = []
    while part := await channel.read():
        parts.append(part)
    return b"".join(parts)


async def read_exactly(channel: Channel, size: int) -> bytes:
    """Return ``size`` bytes of stdout, or fewer at its end."""
    data = b""
    while len(data) < size and (part := await channel.read(size - len(data))):
        data += part
    return data


class TransportContract:
    """The tests; see the module's text."""

    python = sys.executable
    #: Bytes that no buffer on the way may hold by half.
    BULK = 48 << 20
    #: Statuses of a process that a signal has ended: as `subprocess` says it, and as a shell does.
    KILLED: tuple[int, ...] = (-signal.SIGKILL, 128 + signal.SIGKILL)
    #: The status of a program that is not there, where a shell looks for it.
    MISSING = 127
    #: Words that arrive as they are. A shell gets no empty word: PowerShell 5.1 drops it.
    WORDS: tuple[str, ...] = ("a b", "한글", "(x=1,y)", "it's", "-foo.bar", "-V:3.11", "a,b", "@file", "x;y")

    async def start(self, transport: Transport, code: str) -> Channel:
        """Start a Python program; it goes through stdin, as the agent does."""
        channel = await transport.open(
            [self.python, "-I", "-c", "import sys;exec(sys.stdin.buffer.readline())"]
        )
        await channel.write(f"exec({code!r})\n".encode())
        return channel

    def reported(self, status: int) -> int:
        """Return the status that arrives for a process that ends with ``status``."""
        return status

    async def test_every_byte_passes_both_ways(self, transport: Transport) -> None:
        channel = await self.start(transport, _ECHO)
        every = bytes(range(256)) * 41
        await channel.write(every)
        assert await read_exactly(channel, len(every)) == every
        await channel.write_eof()
        assert await channel.read() == b""
        assert await channel.wait() == 0

    async def test_an_answer_comes_while_the_channel_stays_open(self, transport: Transport) -> None:
        channel = await self.start(transport, _ECHO)
        for word in (b"one", b"two\n", b"\x00"):
            await channel.write(word)
            assert await read_exactly(channel, len(word)) == word
        await channel.close()

    async def test_a_read_gives_no_more_than_asked_for(self, transport: Transport) -> None:
        channel = await self.start(transport, "print('x' * 999, end='')")
        pieces = [await channel.read(100)]
        while piece := await channel.read(100):
            pieces.append(piece)
        assert max(map(len, pieces)) <= 100
        assert b"".join(pieces) == b"x" * 999
        await channel.close()

    async def test_a_cancelled_read_loses_nothing(self, transport: Transport) -> None:
        channel = await self.start(transport, _ECHO)
        await channel.write(b"a")
        assert await channel.read() == b"a"
        reading = asyncio.create_task(channel.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await channel.write(b"bcd")
        assert await read_exactly(channel, 3) == b"bcd"
        await channel.close()

    async def test_megabytes_come_out_whole_and_a_slow_reader_holds_them_up(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        written = tmp_path / "written"
        written.touch()
        code = f"""
import sys, hashlib, random
source, sent = random.Random(7), hashlib.sha256()
for number in range({self.BULK >> 16}):
    block = source.randbytes(65536)
    sent.update(block)
    sys.stdout.buffer.write(block)
    if number % 16 == 0:
        open({str(written)!r}, "ab", 0).write(b".")
sys.stdout.buffer.flush()
sys.stderr.write(sent.hexdigest())
"""
        channel = await self.start(transport, code)
        digest = hashlib.sha256(await read_exactly(channel, 1))
        got_out = await settled(lambda: written.stat().st_size) << 20
        assert got_out < self.BULK // 2
        size = 1
        while data := await channel.read():
            digest.update(data)
            size += len(data)
        assert size == self.BULK
        assert await channel.wait() == 0
        assert channel.stderr().decode() == digest.hexdigest()

    async def test_megabytes_go_in_whole_and_a_slow_process_holds_them_up(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        code = f"""
import sys, os, hashlib, time
while not os.path.exists({str(tmp_path / "go")!r}):
    time.sleep(0.01)
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest(), end="")
"""
        channel = await self.start(transport, code)
        blocks = [os.urandom(1 << 16) for _ in range(8)] * (self.BULK >> 19)
        accepted = 0

        async def write() -> None:
            nonlocal accepted
            for block in blocks:
                await channel.write(block)
                accepted += len(block)
            await channel.write_eof()

        writing = asyncio.create_task(write())
        assert await settled(lambda: accepted) < self.BULK // 2
        (tmp_path / "go").touch()
        await writing
        assert (await read_all(channel)).decode() == hashlib.sha256(b"".join(blocks)).hexdigest()
        assert await channel.wait() == 0

    @pytest.mark.parametrize("status", [0, 3, 255])
    async def test_the_exit_status_arrives(self, transport: Transport, status: int) -> None:
        channel = await self.start(transport, f"raise SystemExit({status})")
        assert await channel.read() == b""
        assert await channel.wait() == self.reported(status)
        assert await channel.wait() == self.reported(status)

    async def test_a_killed_process_ends_the_channel(self, transport: Transport) -> None:
        channel = await self.start(
            transport, "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        )
        os.kill(int(await channel.read()), signal.SIGKILL)
        assert await channel.read() == b""
        assert await channel.wait() in self.KILLED

    async def test_of_stderr_the_end_is_kept(self, transport: Transport) -> None:
        lines = b"".join(b"line %d\n" % number for number in range(30_000))
        code = "import sys\nfor number in range(30000): sys.stderr.buffer.write(b'line %d\\n' % number)"
        channel = await self.start(transport, code)
        assert await read_all(channel) == b""
        assert await channel.wait() == 0
        assert channel.stderr() == lines[-STDERR_KEPT:]

    async def test_many_channels_at_once(self, transport: Transport) -> None:
        channels = await asyncio.gather(*(self.start(transport, _ECHO) for _ in range(8)))

        async def exchange(number: int) -> bytes:
            await channels[number].write(b"%d" % number * 100_000)
            await channels[number].write_eof()
            return await read_all(channels[number])

        answers = await asyncio.gather(*map(exchange, range(8)))
        assert answers == [b"%d" % number * 100_000 for number in range(8)]
        assert await asyncio.gather(*(channel.wait() for channel in channels)) == [0] * 8

    async def test_closing_shows_the_process_the_end_of_its_input(
        self, transport: Transport, tmp_path: Path
    ) -> None:
        code = f"""
import sys, os
print(os.getpid(), flush=True)
data = sys.stdin.buffer.read()
open({str(tmp_path / "part")!r}, "wb").write(data)
os.rename({str(tmp_path / "part")!r}, {str(tmp_path / "seen")!r})
"""
        channel = await self.start(transport, code)
        pid = int(await channel.read())
        await channel.write(b"the end")
        await channel.close()
        await until((tmp_path / "seen").exists)
        assert (tmp_path / "seen").read_bytes() == b"the end"
        await until(lambda: not psutil.pid_exists(pid))
        await channel.close()

    async def test_closing_the_transport_ends_its_channels(self, transport: Transport) -> None:
        code = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
        channels = [await self.start(transport, code) for _ in range(2)]
        pids = [int(await channel.read()) for channel in channels]
        await transport.close()
        await until(lambda: not any(map(psutil.pid_exists, pids)))

    async def test_closing_in_the_middle_of_much_output_ends_the_process(self, transport: Transport) -> None:
        code = "import os, sys; print(os.getpid(), flush=True)\nwhile True: sys.stdout.write('x' * 65536)"
        channel = await self.start(transport, code)
        line = b""
        while b"\n" not in line:
            line += await channel.read(20)
        await channel.close()
        await until(lambda: not psutil.pid_exists(int(line.partition(b"\n")[0])))

    async def test_writing_after_the_end_fails(self, transport: Transport) -> None:
        channel = await self.start(transport, "raise SystemExit")
        assert await channel.read() == b""
        await channel.wait()

        async def write_on() -> None:
            while True:
                await channel.write(b"x" * 4096)

        with pytest.raises(ChannelLost):
            await asyncio.wait_for(write_on(), 120)

    async def test_a_program_that_is_not_there_is_told(self, transport: Transport) -> None:
        try:
            channel = await transport.open(["no-such-program-here", "-c", "pass"])
        except CommandNotStarted as error:
            assert "no-such-program-here" in str(error)
            return
        assert await read_all(channel) == b""
        assert await channel.wait() == self.MISSING
        assert b"no-such-program-here" in channel.stderr()

    async def test_a_command_line_beyond_all_limits_is_refused(self, transport: Transport) -> None:
        with pytest.raises(CommandNotStarted):
            await transport.open([self.python, "-c", "pass", "x" * (4 << 20)])

    async def test_words_with_spaces_and_letters_of_any_script_arrive(self, transport: Transport) -> None:
        words = list(self.WORDS)
        channel = await transport.open([self.python, "-c", "import sys;print(ascii(sys.argv[1:]))", *words])
        assert (await read_all(channel)).decode().strip() == ascii(words)
        await channel.close()

    async def test_connecting_and_closing_twice_does_no_harm(self, transport: Transport) -> None:
        await transport.connect()
        await transport.connect()
        await transport.close()
        await transport.close()
        channel = await self.start(transport, "print('again', end='')")
        assert await read_all(channel) == b"again"
        await channel.close()
