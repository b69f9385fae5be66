"""The stages of an SSH login, each with its own limit.

A dead host is given up after seconds, and a slow Windows logon is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import asyncssh

from agent.wire.message import Message, message
from transports.waiting import REPORT_EVERY

Stage = Literal["reach", "banner", "key-exchange", "authentication"]


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """Seconds for each stage of a login, without the time that the user takes to answer.

    A Windows logon with a domain or a roaming profile takes up to two minutes, either in the authentication
    or in the start of the first session.
    """

    #: The TCP connection.
    reach: float = 15.0
    #: The first line of the SSH server.
    banner: float = 15.0
    key_exchange: float = 30.0
    authentication: float = 120.0
    #: The start of a program.
    session: float = 120.0

    def of(self, stage: Stage) -> float:
        """Return the limit of a stage."""
        match stage:
            case "reach":
                return self.reach
            case "banner":
                return self.banner
            case "key-exchange":
                return self.key_exchange
            case "authentication":
                return self.authentication


class LoginStages:
    """Ends a login whose stage has lasted too long: use `timeout` around it, after :meth:`start`.

    The stage is read when a limit has passed, since asyncssh does not report it. So a stage can begin a few
    seconds before it is noticed, and gets these in addition to its limit.
    """

    def __init__(self, limits: LoginLimits, waiting: Callable[[Message], None]) -> None:
        self.limits = limits
        self.stage: Stage = "reach"
        self.timeout = asyncio.timeout(None)
        self._waiting = waiting
        self._connection: asyncssh.SSHClientConnection | None = None
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> float:
        """The limit of the current stage in seconds."""
        return self.limits.of(self.stage)

    @property
    def server_version(self) -> str:
        """The software of the server, e.g. ``OpenSSH_9.2p1``; empty before its banner."""
        return server_version(self._connection) if self._connection is not None else ""

    def start(self) -> None:
        """Begin with the first stage, or with the current one again after a question to the user."""
        self.stop()
        self._began = asyncio.get_running_loop().time()
        self._schedule()

    def stop(self) -> None:
        """Wait without a limit, for the user or after the login."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connected(self, connection: asyncssh.SSHClientConnection) -> None:
        """Record the TCP connection, or that through a jump host."""
        self._connection = connection
        self.stage = "banner"
        self.start()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        at = min(self._began + self.limit, loop.time() + REPORT_EVERY)
        self._timer = loop.call_at(at, self._check)

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        stage = self._current()
        if stage != self.stage:
            self.stage, self._began = stage, now
        waited = now - self._began
        if waited >= self.limit:
            self._timer = None
            self.timeout.reschedule(now)
            return
        if self.stage == "authentication" and waited:
            self._waiting(
                message(
                    "ssh.waiting.logon",
                    "the node has answered, and its logon has taken {waited:duration} so far (at most "
                    "{limit:duration})",
                    waited=waited,
                    limit=self.limit,
                )
            )
        self._schedule()

    def _current(self) -> Stage:
        if self._connection is None:
            return "reach"
        if not self.server_version:
            return "banner"
        if self._connection.get_extra_info("send_cipher") is None:
            return "key-exchange"
        return "authentication"


def server_version(connection: asyncssh.SSHClientConnection) -> str:
    """Return the software of the server, without ``SSH-2.0-``; empty before its banner."""
    text = str(connection.get_extra_info("server_version") or "")
    return text.split("-", 2)[-1]
