"""A process on this machine: the master is a node too."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakSet

from agent.wire.message import message
from transports.base import READ_SIZE, STDERR_KEPT, Channel, Endpoint, NoPrompts, Prompts, Transport
from transports.errors import ChannelLost, CommandNotStarted
from transports.system_errors import system_error

#: Seconds that a process may take to exit after its stdin was closed; then it is killed.
_GRACE = 5.0
_STREAMS = range(3)


class LocalTransport(Transport):
    """Starts processes as the user who runs the console, without any shell."""

    def __init__(self, endpoint: Endpoint, prompts: Prompts | None = None) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        self._channels: WeakSet[LocalChannel] = WeakSet()

    async def connect(self) -> None:
        """Do nothing: a local process needs no connection."""

    async def open(self, argv: Sequence[str]) -> LocalChannel:
        """Start ``argv``; raises CommandNotStarted."""
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: SubprocessStreamProtocol(limit=READ_SIZE, loop=loop),
                *argv,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
            )
        except OSError as error:
            raise CommandNotStarted(
                message(
                    "local.not-started",
                    "{program} cannot be started: {error}",
                    program=argv[0],
                    error=system_error(error),
                ),
                where=str(self.endpoint),
                remedy=message(
                    "local.not-started.remedy",
                    "check that {program} is installed and on the PATH",
                    program=argv[0],
                ),
            ) from error
        channel = LocalChannel(transport, Process(transport, protocol, loop), str(self.endpoint))
        self._channels.add(channel)
        return channel

    async def close(self) -> None:
        """Close the channels that are still open."""
        await asyncio.gather(*(channel.close() for channel in self._channels))


class LocalChannel(Channel):
    """The pipes of one subprocess."""

    def __init__(self, transport: asyncio.SubprocessTransport, process: Process, where: str) -> None:
        self._transport = transport
        self._process = process
        self._where = where
        self._stderr = bytearray()
        self._draining = asyncio.create_task(self._drain_stderr())

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(limit)

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; raises ChannelLost if the process no longer reads."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(data)
            await stdin.drain()
        except (OSError, RuntimeError) as error:
            raise ChannelLost(
                message("local.input-closed", "the process has closed its input"), where=self._where
            ) from error

    async def write_eof(self) -> None:
        """Close the process's stdin."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def wait(self) -> int | None:
        """Return the exit status; as in `subprocess`, a negative one is the signal that ended the process."""
        status = await self._process.wait()
        await self._draining
        await self.write_eof()
        return status

    def stderr(self) -> bytes:
        """Return the last STDERR_KEPT bytes of stderr."""
        return bytes(self._stderr)

    async def close(self) -> None:
        """Close the pipes and wait for the process; kill it if it does not exit in time."""
        for number in _STREAMS:
            if pipe := self._transport.get_pipe_transport(number):
                pipe.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        finally:
            self._draining.cancel()

    async def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(READ_SIZE):
            self._stderr += data
            del self._stderr[:-STDERR_KEPT]
