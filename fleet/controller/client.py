"""A command's or console's side: finds the project's controller, starts it, and hands runs over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import system_reason
from fleet.controller.address import connect, read_address
from fleet.controller.wire import (
    Adopt,
    Adopted,
    Connection,
    Hello,
    Prepare,
    Ready,
    Refused,
    Reply,
    Request,
    Retire,
    Welcome,
    WireError,
    limits_of,
)
from fleet.fleet import Fleet
from fleet.plan import RunPlan
from fleet.private_files import make_folder
from fleet.runs.keeper import AttemptEnded, NotKeptError
from fleet.runs.options import LaunchOptions, WatchOptions

#: Seconds in which a controller has to start, and to answer.
_START_SECONDS = 30.0
_ANSWER_SECONDS = 300.0
_POLL_INTERVAL = 0.05
_MAX_STARTS = 3
_REMEDY = message("controller.remedy", "run `dtui doctor`, and look at .dtui/internal-errors.log")
R = TypeVar("R")


class ControllerKeeper:
    """Hands runs over to the controller of the fleet's project.

    ``command`` returns the command that starts a controller for a ``.dtui`` folder.
    """

    def __init__(self, command: Callable[[Path], Sequence[str]], version: str) -> None:
        self._command = command
        self._version = version

    async def prepare(self, fleet: Fleet, nodes: Sequence[str]) -> ControllerLease:
        """Have the project's controller connect to these nodes; raises NotKeptError."""
        connection = await self._connection(fleet.home)
        try:
            prepare = Prepare(
                inventory=fleet.inventory,
                nodes=tuple(nodes),
                passwords=tuple(fleet.passwords.items()),
            )
            await _request(connection, prepare, Ready)
        except BaseException:
            await connection.close()
            raise
        return ControllerLease(connection)

    async def _connection(self, home: Path) -> Connection:
        """Return a connection to a controller of our version, which is started if there is none."""
        started: subprocess.Popen[bytes] | None = None
        starts = 0
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while True:
            connection = await self._existing(home)
            if connection is not None:
                return connection
            # One that finds another controller ends: that one may be about to end, too.
            if started is None or started.poll() is not None:
                if starts == _MAX_STARTS:
                    raise NotKeptError(
                        message(
                            "controller.ended",
                            "the run controller ended as soon as it had started; another machine may keep "
                            "the runs of this folder",
                        ),
                        remedy=_REMEDY,
                    )
                started = self._start(home)
                starts += 1
            if asyncio.get_running_loop().time() > deadline:
                late = message(
                    "controller.late",
                    "the run controller did not start within {seconds:.0f} s",
                    seconds=_START_SECONDS,
                )
                raise NotKeptError(late, remedy=_REMEDY)
            await asyncio.sleep(_POLL_INTERVAL)

    async def _existing(self, home: Path) -> Connection | None:
        address = read_address(home)
        if address is None:
            return None
        try:
            connection = await connect(address)
        except OSError:
            return None  # it was killed
        try:
            hello = Hello(token=address.token, version=self._version)
            welcome = await _request(connection, hello, Welcome)
            if welcome.version == self._version:
                return connection
            # It finishes its runs, and ours are kept by one of our version.
            await connection.send(Retire())
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.receive(Welcome)
        except (NotKeptError, OSError, WireError, TimeoutError):
            pass
        except BaseException:
            await connection.close()
            raise
        await connection.close()
        return None

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        try:
            make_folder(home)
            return start_detached(self._command(home), home)
        except OSError as error:
            raise NotKeptError(
                message(
                    "controller.not-started",
                    "the run controller cannot be started: {error}",
                    error=system_reason(error),
                ),
                remedy=_REMEDY,
            ) from None


class ControllerLease:
    """A controller that has connected to the nodes of a run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def adopt(
        self, plan: RunPlan, launching: LaunchOptions, watching: WatchOptions, attempt: int
    ) -> None:
        """Hand over a run whose ``attempt`` has been launched; raises NotKeptError."""
        secrets = launching.secrets if launching.max_restarts else {}
        adopt = Adopt(
            plan=plan,
            attempt=attempt,
            limits=limits_of(watching),
            grace=launching.grace,
            max_restarts=launching.max_restarts,
            secrets={name: secret.reveal() for name, secret in secrets.items()},
        )
        await _request(self._connection, adopt, Adopted)

    async def ended(self) -> AttemptEnded:
        """Wait for the end of the run, or of its next restart; raises NotKeptError."""
        try:
            found: AttemptEnded = await self._connection.receive(AttemptEnded)
        except WireError as error:
            raise _lost(str(error)) from None
        return found

    async def close(self) -> None:
        """Leave the controller, which goes on with an adopted run."""
        await self._connection.close()


async def _request(connection: Connection, request: Request, answer: type[R]) -> R:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await connection.send(request)
            reply: Reply = await connection.receive(Reply)
    except TimeoutError:
        raise _lost(f"no answer within {_ANSWER_SECONDS:.0f} s") from None
    except (WireError, OSError) as error:
        raise _lost(str(error)) from None
    if isinstance(reply, Refused):
        raise NotKeptError(reply.reason, remedy=reply.remedy)
    if not isinstance(reply, answer):
        raise _lost(f"unexpected {type(reply).__name__}")
    return reply


def _lost(reason: str) -> NotKeptError:
    what: Message = message(
        "controller.lost", "the connection to the run controller broke: {reason}", reason=reason
    )
    return NotKeptError(what, remedy=_REMEDY if reason else EMPTY)


def start_detached(argv: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that goes on when this one, its terminal and its login session end; raises OSError."""
    if sys.platform == "win32":
        detached = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            return _popen(argv, folder, creationflags=detached | subprocess.CREATE_BREAKAWAY_FROM_JOB)
        except PermissionError:
            # The job of this session does not let its processes go.
            return _popen(argv, folder, creationflags=detached)
    return _popen(argv, folder, start_new_session=True)


def _popen(argv: Sequence[str], folder: Path, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        list(argv),
        cwd=os.fspath(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=True,
        **options,
    )
