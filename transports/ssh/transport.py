"""SSH, with asyncssh, to OpenSSH on any system."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import asyncssh

from agent.wire.message import Message, message
from transports.base import (
    READ_SIZE,
    STDERR_KEPT,
    Channel,
    Endpoint,
    NoPrompts,
    Prompts,
    Transport,
)
from transports.command_line import Form, UnsafeWord, command_line
from transports.command_problems import LONGEST_LINE, long_command, unsafe_command
from transports.errors import PROCESS_ENDED, ChannelLost, CommandNotStarted, TransportError
from transports.login_shell import PROBE, LoginShell, shell_kind
from transports.quoting import quoted
from transports.ssh.known_hosts import KnownHosts
from transports.ssh.login import Login
from transports.ssh.problems import connection_broke
from transports.ssh.stages import LoginLimits, server_version
from transports.waiting import reported

_CLOSING_GRACE = 5.0
#: Bytes that may wait for a node to read them. Channels have windows of 2 MiB.
_MOST_UNSENT = 32 << 20
_UNSENT_EVERY = 1.0
_WINDOWS_SERVER = re.compile(r"OpenSSH_for_Windows_(\d{1,4})\.(\d{1,4})")
_KEEPS_QUOTES = (7, 9)
#: Seconds in which the command that identifies the shell starts, and in which it answers before and after the
#: end of its input.
_PROBE_OPENS = 20.0
_PROBE_SECONDS = 10.0
_PROBE_ENDS = 20.0
_PROBE_KEPT = 1 << 16


class SshTransport(Transport):
    """One SSH connection, opened on first use; every channel is an exec session on it.

    ``known_hosts`` is dtui's own file of host keys. ``ssh_folder`` has OpenSSH's ``config`` and
    ``known_hosts``. ``limits`` are those of the stages of a login; ``reach`` shortens those of
    the first contact. After three missed keep-alives, one per ``keepalive`` seconds, the connection is lost.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        *,
        known_hosts: Path,
        ssh_folder: Path | None = None,
        reach: float | None = None,
        limits: LoginLimits | None = None,
        keepalive: float = 15.0,
        most_unsent: int = _MOST_UNSENT,
        probe_seconds: float = _PROBE_SECONDS,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        folder = ssh_folder if ssh_folder is not None else Path.home() / ".ssh"
        limits = limits or LoginLimits()
        if reach is not None:
            limits = replace(limits, reach=reach, banner=min(limits.banner, 2 * reach))
        self._limits = limits
        self._login = Login(
            self.prompts,
            KnownHosts(known_hosts, (folder / "known_hosts", _system_known_hosts())),
            config=folder / "config",
            limits=self._limits,
            keepalive=keepalive,
            waiting=lambda what: self.waiting(what),
        )
        self._most_unsent = most_unsent
        self._probe_seconds = probe_seconds
        self._guard: asyncio.Task[None] | None = None
        self._connections: list[asyncssh.SSHClientConnection] = []
        self._lock = asyncio.Lock()

    async def connect(self) -> None:
        """Connect, check the host key and log in; raises TransportError."""
        await self._connected()

    async def open(self, argv: Sequence[str]) -> SshChannel:
        """Start ``argv`` through the node's default shell; raises TransportError."""
        return await self._start(argv[0], _line(argv, "any", str(self.endpoint)))

    async def open_by_powershell(self, argv: Sequence[str]) -> SshChannel:
        """Start ``argv`` by a line without double quotes that PowerShell alone reads."""
        return await self._start(argv[0], _line(argv, "powershell", str(self.endpoint)))

    @property
    def loses_quotes(self) -> bool:
        """Whether this is OpenSSH for Windows before 7.9: only cmd.exe gets double quotes from it.

        It is part of Windows Server 2019 and of Windows 10 from 1809 on.
        """
        connection = self._connections[-1] if self._connections else None
        found = _WINDOWS_SERVER.match(server_version(connection)) if connection is not None else None
        return found is not None and (int(found[1]), int(found[2])) < _KEEPS_QUOTES

    async def login_shell(self) -> LoginShell | None:
        """Return the shell that runs commands on the node; None without an answer or a connection."""
        if not self._connections or self._connections[-1].is_closed():
            return None
        try:
            async with asyncio.timeout(_PROBE_OPENS):
                channel = await self._start("echo", PROBE)
        except (TransportError, TimeoutError):
            return None
        output = bytearray()
        try:
            held = not await _drained(channel, output, self._probe_seconds)
            if held:
                await channel.write_eof()
                if not await _drained(channel, output, _PROBE_ENDS):
                    return LoginShell(shell_kind(bytes(output), channel.stderr()), held)
            with suppress(TransportError):
                await channel.wait()
            return LoginShell(shell_kind(bytes(output), channel.stderr()), held)
        finally:
            await channel.close()

    async def _start(self, program: str, line: str) -> SshChannel:
        where = str(self.endpoint)
        connection = await self._connected()
        try:
            with reported(lambda what: self.waiting(what), _starting(program, self._limits.session)):
                async with asyncio.timeout(self._limits.session):
                    process = await connection.create_process(line, encoding=None, request_pty=False)
        except TimeoutError as error:
            # Nor would it answer to the end of a session.
            connection.abort()
            raise ChannelLost(
                message(
                    "ssh.no-session",
                    "the node accepted the login and did not start {program} within {seconds:duration}",
                    program=program,
                    seconds=self._limits.session,
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
                    program=program,
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


def _starting(program: str, limit: float) -> Callable[[float], Message]:
    def text(waited: float) -> Message:
        return message(
            "ssh.waiting.session",
            "the login succeeded, and the node has taken {waited:duration} so far to start {program} (at "
            "most {limit:duration})",
            waited=waited,
            program=program,
            limit=limit,
        )

    return text


async def _drained(channel: SshChannel, output: bytearray, seconds: float) -> bool:
    """Read stdout to its end and keep the last part; return False if it has no end within ``seconds``."""
    with suppress(TimeoutError, TransportError):
        async with asyncio.timeout(seconds):
            while data := await channel.read():
                output += data
                del output[:-_PROBE_KEPT]
            return True
    return False


def _line(argv: Sequence[str], form: Form, where: str) -> str:
    try:
        line = command_line(argv, form)
    except UnsafeWord as error:
        raise unsafe_command(error, where) from error
    if len(line) > LONGEST_LINE:
        raise long_command(len(line), where)
    return line
