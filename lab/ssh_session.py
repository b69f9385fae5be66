"""One exec request on an SSH node: a shell command whose pipes are the channel's streams."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from contextlib import suppress
from typing import Any

import asyncssh

from lab.ending import end_session
from lab.home import NodeHome
from lab.login_shell import LoginShell

_CHUNK = 1 << 16
_STDIN, _STDOUT, _STDERR = range(3)


class SshSession:
    """A command that runs through ``/bin/sh -c`` (``cmd.exe /c`` on Windows), or through ``shell``.

    It has its own process session. When the client closes the channel or is lost, the command sees
    its pipes closed, and nothing else happens to it: that is how sshd behaves, too.
    """

    def __init__(
        self, request: asyncssh.SSHServerProcess[bytes], home: NodeHome, shell: LoginShell | None = None
    ) -> None:
        self._request = request
        self._shell = shell
        self._home = home
        self._transport: asyncio.SubprocessTransport | None = None
        self._ended = False

    async def run(self) -> None:
        """Serve the request to its end."""
        if self._request.command is None:
            self._request.stderr.write(b"this node only runs commands, and has no interactive shell\n")
            self._request.exit(1)
            return
        loop = asyncio.get_running_loop()
        self._transport, protocol = await self._start(loop, self._request.command)
        if self._ended:  # while the process was being made
            self.end()
        child = Process(self._transport, protocol, loop)
        assert child.stdout is not None
        assert child.stderr is not None
        watching = [asyncio.create_task(self._feed(child)), asyncio.create_task(self._hang_up())]
        try:
            await asyncio.gather(
                self._carry(child.stdout, self._request.stdout, _STDOUT),
                self._carry(child.stderr, self._request.stderr, _STDERR),
            )
            self._report(await child.wait())
        finally:
            for task in watching:
                task.cancel()
            self._transport.close()

    async def _start(
        self, loop: asyncio.AbstractEventLoop, line: str
    ) -> tuple[asyncio.SubprocessTransport, SubprocessStreamProtocol]:
        options: dict[str, Any] = {
            "stdin": PIPE,
            "stdout": PIPE,
            "stderr": PIPE,
            "cwd": self._home.folder,
            "env": self._home.environment(),
            "start_new_session": os.name != "nt",
        }

        def protocol() -> SubprocessStreamProtocol:
            return SubprocessStreamProtocol(limit=_CHUNK, loop=loop)

        if self._shell is not None:
            return await loop.subprocess_exec(protocol, *self._shell.command(line), **options)
        return await loop.subprocess_shell(protocol, line, **options)

    def end(self) -> None:
        """End the command and its children."""
        self._ended = True
        if self._transport is not None and self._transport.get_returncode() is None:
            end_session(self._transport.get_pid())

    async def _feed(self, child: Process) -> None:
        assert child.stdin is not None
        with suppress(OSError, asyncssh.Error):
            while data := await self._request.stdin.read(_CHUNK):
                child.stdin.write(data)
                await child.stdin.drain()
        child.stdin.close()

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes], number: int
    ) -> None:
        try:
            while data := await source.read(_CHUNK):
                sink.write(data)
                await sink.drain()
        except (OSError, asyncssh.Error):
            self._close(number)

    async def _hang_up(self) -> None:
        await self._request.wait_closed()
        for number in (_STDIN, _STDOUT, _STDERR):
            self._close(number)

    def _close(self, number: int) -> None:
        assert self._transport is not None
        pipe = self._transport.get_pipe_transport(number)
        if pipe is not None:
            pipe.close()

    def _report(self, status: int) -> None:
        with suppress(OSError, asyncssh.Error):
            if status < 0:
                name = _signal_name(-status)
                self._request.exit_with_signal(name, False, f"ended by signal {name}")
            else:
                self._request.exit(status)


def _signal_name(number: int) -> str:
    return signal.Signals(number).name.removeprefix("SIG")
