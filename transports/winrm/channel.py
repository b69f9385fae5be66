"""A channel over a `Session`, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from agent.wire.message import message
from transports.base import READ_SIZE, Channel
from transports.errors import PROCESS_ENDED, ChannelLost
from transports.winrm.loop_condition import LoopCondition
from transports.winrm.reliable.frames import STDERR, STDIN, STDOUT
from transports.winrm.reliable.relay import GRACE
from transports.winrm.session import Session

T = TypeVar("T")

#: Seconds for a channel to close; the process may use `GRACE` of them to exit.
_CLOSING = 3 * GRACE


class RelayChannel(Channel):
    """Delivers every byte exactly once as long as the shell exists on the node."""

    def __init__(self, session: Session, condition: LoopCondition, where: str) -> None:
        self._session = session
        self._condition = condition
        self._where = where
        self._closed = False

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return 1 to ``limit`` bytes of stdout, or ``b""`` at its end; raises ChannelLost."""

        def step() -> bytes | None:
            into = self._session.peer.into[STDOUT]
            if into.waiting:
                return self._session.peer.read(STDOUT, limit)
            if into.at_end or self._closed:
                return b""
            self._raise_failure()
            return b"" if self._session.ended else None

        return await self._until(step)

    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin, waiting while the other side is slow; raises ChannelLost."""
        view = memoryview(data)
        while view:

            def step(view: memoryview = view) -> int | None:
                self._raise_failure()
                out = self._session.peer.out[STDIN]
                if self._closed or out.ended or self._session.ended or self._stdin_closed():
                    what = message("process.deaf", "the process no longer reads its input")
                    raise ChannelLost(what, where=self._where)
                size = min(out.free, len(view))
                if size:
                    out.write(bytes(view[:size]))
                    self._session.peer.changed.notify_all()
                return size or None

            view = view[await self._until(step) :]

    async def write_eof(self) -> None:
        """Close the process's stdin, after what was written."""
        with self._session.peer.changed:
            self._session.peer.out[STDIN].ended = True
            self._session.peer.send_soon()

    async def wait(self) -> int | None:
        """Return the exit status once the process has ended and stderr was received; raises ChannelLost."""

        def step() -> tuple[int | None] | None:
            peer = self._session.peer
            if "exit" in peer.remote_state and (peer.into[STDERR].at_end or self._session.ended):
                return (peer.remote_state["exit"],)
            self._raise_failure()
            return (None,) if self._session.ended else None

        return (await self._until(step))[0]

    def stderr(self) -> bytes:
        """Return the last bytes that the process (or the relay) wrote to stderr."""
        with self._session.peer.changed:
            return bytes(self._session.errors)

    async def close(self) -> None:
        """Close the process's input; a process that still runs after a few seconds ends with the shell."""
        self._closed = True
        self._session.close()
        try:
            async with asyncio.timeout(_CLOSING):
                await self._until(lambda: self._session.closed.is_set() or None)
        except TimeoutError:
            # The node does not answer; the threads end with their requests.
            self._session.abandon()

    def _stdin_closed(self) -> bool:
        return "exit" in self._session.peer.remote_state or "stdin_closed" in self._session.peer.remote_state

    def _raise_failure(self) -> None:
        failure = self._session.failure
        if failure is None:
            return
        if isinstance(failure, ChannelLost):
            raise ChannelLost(failure.what, where=failure.where, remedy=failure.remedy) from failure
        raise failure

    async def _until(self, step: Callable[[], T | None]) -> T:
        def guarded() -> T | None:
            with self._session.peer.changed:
                return step()

        return await self._condition.wait_for(guarded)


class EndedChannel(Channel):
    """The output and exit status of a command that ended before the relay started."""

    def __init__(self, output: bytes, errors: bytes, status: int | None) -> None:
        self._output = output
        self._errors = errors
        self._status = status

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return its output, then ``b""``."""
        data, self._output = self._output[:limit], self._output[limit:]
        await asyncio.sleep(0)
        return data

    async def write(self, data: bytes) -> None:
        """Raise ChannelLost."""
        raise ChannelLost(PROCESS_ENDED)

    async def write_eof(self) -> None:
        """Do nothing: the input closed when the process ended."""

    async def wait(self) -> int | None:
        """Return the exit status."""
        return self._status

    def stderr(self) -> bytes:
        """Return its stderr."""
        return self._errors

    async def close(self) -> None:
        """Do nothing."""
