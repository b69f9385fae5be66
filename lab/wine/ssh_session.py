"""One exec request, served as OpenSSH for Windows serves it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import IO

import asyncssh

from lab.wine.login import WindowsLogin
from lab.wine.process import WineProcess

_CHUNK = 1 << 16


class WindowsSession:
    """Ends when the command has ended and no process holds its output any more.

    So a child that broke away and inherited the output keeps the session open. A lost client ends
    nothing: the command sees the end of its input.
    """

    def __init__(self, request: asyncssh.SSHServerProcess[bytes], login: WindowsLogin) -> None:
        self._request = request
        self._login = login
        self._process: WineProcess | None = None

    async def run(self) -> None:
        """Serve the request to its end."""
        command = self._request.command
        if command is None:
            self._request.exit(1)
            return
        process = await asyncio.to_thread(self._login.over_ssh, command)
        self._process = process
        feeding = asyncio.create_task(self._feed(process.stdin))
        try:
            await asyncio.gather(
                self._carry(process.stdout, self._request.stdout),
                self._carry(process.stderr, self._request.stderr),
            )
            status = await asyncio.to_thread(process.wait)
            with contextlib.suppress(OSError, asyncssh.Error):
                self._request.exit(status)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    def end(self) -> None:
        """End the launcher; the processes that it started end with the machine."""
        if self._process is not None:
            self._process.kill_tree()

    async def _feed(self, pipe: IO[bytes]) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            with contextlib.suppress(OSError, asyncssh.Error):
                while data := await self._request.stdin.read(_CHUNK):
                    writer.write(data)
                    await writer.drain()
        finally:
            transport.close()

    async def _carry(self, pipe: IO[bytes], sink: asyncssh.SSHWriter[bytes]) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_CHUNK, loop)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe
        )
        try:
            while data := await reader.read(_CHUNK):
                sink.write(data)
                await sink.drain()
        except (OSError, asyncssh.Error):
            pass  # the client is gone: closing our end notifies the command
        finally:
            transport.close()
