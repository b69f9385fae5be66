"""SSH, with asyncssh, to OpenSSH on any system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncssh

from agent.wire.message import message
from transports.base import (
    READ_SIZE,
    STDERR_KEPT,
    Channel,
    Endpoint,
    NoPrompts,
    Prompts,
    Transport,
    UnsafeWord,
    command_line,
)
from transports.command_problems import LONGEST_LINE, long_command, unsafe_command
from transports.errors import PROCESS_ENDED, ChannelLost, CommandNotStarted, TransportError
from transports.quoting import quoted
from transports.ssh.known_hosts import KnownHosts
from transports.ssh.login import Login
from transports.ssh.problems import connection_broke

_CLOSING_GRACE = 5.0
#: Bytes that may wait for a node to read them. Channels have windows of 2 MiB.
_MOST_UNSENT = 32 << 20
_UNSENT_EVERY = 1.0


class SshTransport(Transport):
    """One SSH connection, opened on first use; every channel is an exec session on it.

    ``known_hosts`` is dtui's own file of host keys. ``ssh_folder`` has OpenSSH's ``config`` and
    ``known_hosts``. ``reach`` limits a login, in seconds; the start of a program may take twice as long.
    After three missed keep-alives, one per ``keepalive`` seconds, the connection is lost.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        *,
        known_hosts: Path,
        ssh_folder: Path | None = None,
        reach: float = 15.0,
        keepalive: float = 15.0,
        most_unsent: int = _MOST_UNSENT,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        folder = ssh_folder if ssh_folder is not None else Path.home() / ".ssh"
        self._login = Login(
            self.prompts,
            KnownHosts(known_hosts, (folder / "known_hosts", _system_known_hosts())),
            config=folder / "config",
            reach=reach,
            keepalive=keepalive,
        )
        self._answer = 2 * reach
        self._most_unsent = most_unsent
        self._guard: asyncio.Task[None] | None = None
        self._connections: list[asyncssh.SSHClientConnection] = []
        self._lock = asyncio.Lock()

    async def connect(self) -> None:
        """Connect, check the host key and log in; raises TransportError."""
        await self._connected()

    async def open(self, argv: Sequence[str]) -> SshChannel:
        """Start ``argv`` through the node's default shell; raises TransportError."""
        where = str(self.endpoint)
        line = _line(argv, where)
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._answer):
                process = await connection.create_process(line, encoding=None, request_pty=False)
        except TimeoutError as error:
            # Nor would it answer to the end of a session.
            connection.abort()
            raise ChannelLost(
                message(
                    "ssh.no-session",
                    "the node accepted the login and did not start {program} within {seconds:duration}",
                    program=argv[0],
                    seconds=self._answer,
                ),
                where=where,
                remedy=message("ssh.no-session.remedy", "check the load and the SSH server of the node"),
            ) from error
        except (asyncssh.Error, OSError) as error:
            if not isinstance(error, asyncssh.ChannelOpenError) or connection.is_closed():
                raise connection_broke(error, where) from error
            raise CommandNotStarted(
                message(
                    "ssh.not-started",
                    "the node refused to start {program}: {error}",
                    program=argv[0],
                    error=quoted(error.reason),
                ),
                where=where,
                remedy=message(
                    "ssh.not-started.remedy",
                    "check MaxSessions in the node's sshd_config and the account's rights on the node",
                ),
            ) from error
        return SshChannel(process, connection, where)

    async def close(self) -> None:
        """Log out; channels end."""
        async with self._lock:
            await self._disconnect()

    async def _connected(self) -> asyncssh.SSHClientConnection:
        async with self._lock:
            if not self._connections or self._connections[-1].is_closed():
                await self._disconnect()
                self._connections = await self._login.open(self.endpoint)
                self._guard = asyncio.create_task(self._limit_unsent(tuple(self._connections)))
            return self._connections[-1]

    async def _limit_unsent(self, connections: Sequence[asyncssh.SSHClientConnection]) -> None:
        """End the connections of a node that has much to ask and does not read the answers.

        Channels wait until the node takes what they write. asyncssh's answers to requests do not.
        """
        while not connections[-1].is_closed():
            for connection in connections:
                # asyncssh has no public way to ask.
                socket = getattr(connection, "_transport", None)
                if socket is not None and socket.get_write_buffer_size() > self._most_unsent:
                    connection.abort()
            await asyncio.sleep(_UNSENT_EVERY)

    async def _disconnect(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        connections, self._connections = self._connections, []
        for connection in reversed(connections):  # the node first, then the jump hosts before it
            connection.close()
            try:
                async with asyncio.timeout(_CLOSING_GRACE):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort()


class SshChannel(Channel):
    """One exec session."""

    def __init__(
        self,
        process: asyncssh.SSHClientProcess[bytes],
        connection: asyncssh.SSHClientConnection,
        where: str,
    ) -> None:
        self._process = process
        self._connection = connection
        self._where = where
        self._stderr = bytearray()
        self._draining = asyncio.create_task(self._drain_stderr())

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end; raises ChannelLost."""
        try:
            data: bytes = await self._process.stdout.read(limit)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        if not data and self._is_broken():
            raise self._lost(None)
        return data

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; raises ChannelLost."""
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        if self._process.channel.is_closing():
            raise self._lost(None)

    async def write_eof(self) -> None:
        """Close the process's stdin."""
        with suppress(OSError):
            self._process.stdin.write_eof()

    async def wait(self) -> int | None:
        """Return the exit status; None when the session ended without one."""
        await self._process.wait_closed()
        await self._draining
        if self._is_broken():
            raise self._lost(None)
        status = self._process.exit_status
        return status if status is not None and status >= 0 else self._process.returncode

    def stderr(self) -> bytes:
        """Return the last STDERR_KEPT bytes of stderr."""
        return bytes(self._stderr)

    async def close(self) -> None:
        """End the session: the process gets end of file."""
        self._process.close()
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(_CLOSING_GRACE):
                await self._process.wait_closed()
        self._draining.cancel()

    def _is_broken(self) -> bool:
        """Return whether the session ended because its connection did."""
        return self._process.returncode is None and self._connection.is_closed()

    def _lost(self, error: Exception | None) -> TransportError:
        if error is None and self._process.returncode is not None:
            return ChannelLost(PROCESS_ENDED, where=self._where)
        return connection_broke(error, self._where)

    async def _drain_stderr(self) -> None:
        with suppress(asyncssh.Error, OSError):
            while data := await self._process.stderr.read(READ_SIZE):
                self._stderr += data
                del self._stderr[:-STDERR_KEPT]


def _system_known_hosts() -> Path:
    """Return OpenSSH's system-wide file of host keys."""
    folder = Path(os.environ.get("PROGRAMDATA", "C:/ProgramData")) if os.name == "nt" else Path("/etc")
    return folder / "ssh" / "ssh_known_hosts"


def _line(argv: Sequence[str], where: str) -> str:
    try:
        line = command_line(argv)
    except UnsafeWord as error:
        raise unsafe_command(error, where) from error
    if len(line) > LONGEST_LINE:
        raise long_command(len(line), where)
    return line
