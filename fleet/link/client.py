"""The console's end of one channel to an agent: many concurrent requests, each stream bounded.

The agent is not trusted. Whatever it sends is decoded by its declared type where it arrives; anything else, a
flow-control window that is exceeded, or an answer that does not end within its operation's time is an error
of this node alone, and the memory that it can fill is bounded (agent.wire.frames.MAX_IN_FLIGHT per request).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from typing import Self, TypeVar

from agent.wire import frames
from agent.wire.frames import (
    PROTOCOL,
    SILENCE_LIMIT,
    Frame,
    FrameDecoder,
    FrameError,
    encode,
)
from agent.wire.message import Message, message
from agent.wire.operation import Operation
from agent.wire.reasons import reason_of
from fleet.errors import FleetError, LinkLost
from fleet.link.interpreter_answers import with_output
from fleet.link.request import AnyRequest, Item, Limits, Request
from transports.base import Channel
from transports.errors import TransportError
from transports.system_errors import system_error

A = TypeVar("A")
U = TypeVar("U")
I = TypeVar("I")  # noqa: E741 -- the item, as in agent.wire.operation
R = TypeVar("R")

#: For a call of an operation without its own limit, because it can also stream.
CALL_SECONDS = 30.0
_PING_EVERY = SILENCE_LIMIT / 6
_SILENT_AFTER = SILENCE_LIMIT / 2
#: Seconds for a write to the channel: a node that reads nothing must not hold a command for ever.
_WRITE_SECONDS = 45.0


class AgentClient:
    """Requests to one agent. Create with :meth:`open`; all calls on one event loop."""

    def __init__(self, channel: Channel, node: str) -> None:
        self.node = node
        #: The agent's first frame, None before it.
        self.hello: frames.Hello | None = None
        #: Seconds of the last round trip, None before the first.
        self.latency: float | None = None
        self._channel = channel
        self._decoder = FrameDecoder()
        self._numbers = itertools.count(1)
        self._requests: dict[int, AnyRequest] = {}
        self._write_turn = asyncio.Lock()
        self._greeted = asyncio.Event()
        self._heard = time.monotonic()
        self._pings: dict[int, float] = {}
        self._ended: FleetError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.lost = asyncio.Event()

    @classmethod
    async def open(cls, channel: Channel, *, node: str, head: bytes = b"", timeout: float = 30.0) -> Self:
        """Wait for the agent's hello; ``head`` holds bytes that were read before. Raises FleetError."""
        client = cls(channel, node)
        client._tasks = [
            asyncio.create_task(client._read(head), name=f"read {node}"),
            asyncio.create_task(client._stay_alive(), name=f"ping {node}"),
        ]
        try:
            async with asyncio.timeout(timeout):
                await client._greeted.wait()
        except TimeoutError:
            late = message("link.no-hello", "the agent sent no hello within {seconds:.0f} s", seconds=timeout)
            client._end(LinkLost(late, node=node))
        if client._ended is not None:
            await client.close()
            raise client._ended
        return client

    @property
    def platform(self) -> str:
        """The node's ``sys.platform``, empty before its hello."""
        return self.hello.platform if self.hello else ""

    def request(
        self,
        operation: Operation[A, U, I, R],
        args: A,
        *,
        seconds: float | None = None,
        silence: float | None = None,
    ) -> Request[A, U, I, R]:
        """Return a request to be used as ``async with``; it is sent on entry.

        ``seconds`` for all of it, and ``silence`` without a frame of it, replace the operation's own limits.
        """
        limits = Limits(seconds or operation.seconds, silence or operation.silence)
        return Request(self, next(self._numbers), operation, args, limits)

    async def call(self, operation: Operation[A, U, I, R], args: A, *, seconds: float | None = None) -> R:
        """Send a request with an empty upload and return its result, without items; raises FleetError.

        ``seconds`` replaces the operation's limit. A call ends: without either limit, after CALL_SECONDS.
        """
        limit = seconds or operation.seconds or CALL_SECONDS
        async with self.request(operation, args, seconds=limit, silence=limit) as request:
            await request.end()
            async for _ in request:
                pass
            return request.result

    async def close(self) -> None:
        """End the connection; active requests raise LinkLost."""
        self._end(LinkLost(message("link.closed", "the connection was closed"), node=self.node))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        with suppress(TransportError, OSError):
            await self._channel.close()

    # ---- used by Request

    def begin(self, request: AnyRequest) -> None:
        """Route the request's frames to it; raises LinkLost when the connection has ended."""
        if self._ended is not None:
            raise self._ended
        self._requests[request.number] = request

    async def write(self, header: frames.Header, seconds: float = _WRITE_SECONDS) -> None:
        """Send a frame without payload; raises LinkLost, also when that takes longer than ``seconds``."""
        await self.write_encoded(encode(header), seconds)

    async def write_encoded(self, frame: bytes, seconds: float = _WRITE_SECONDS) -> None:
        """Send a frame's bytes; raises LinkLost, also when that takes longer than ``seconds``."""
        if self._ended is not None:
            raise self._ended
        try:
            async with asyncio.timeout(seconds), self._write_turn:
                await self._channel.write(frame)
        except TimeoutError:
            what = message(
                "link.not-accepting", "the node has accepted no data for {seconds:.0f} s", seconds=seconds
            )
            raise self._end(LinkLost(what, node=self.node)) from None
        except (TransportError, OSError) as error:
            raise self._end(self._broke(error)) from error

    # ---- the two tasks

    async def _read(self, data: bytes) -> None:
        try:
            while True:
                for frame in self._decoder.feed(data):
                    self._dispatch(frame)
                data = await self._channel.read()
                if not data:
                    break
                self._heard = time.monotonic()
        except FrameError as error:
            what = message(
                "link.protocol",
                "the agent does not follow the protocol: {fault}",
                fault=reason_of(error),
            )
            self._end(LinkLost(what, node=self.node))
        except (TransportError, OSError) as error:
            self._end(self._broke(error))
        except Exception as error:  # noqa: BLE001 -- one node must never take the others down
            what = message(
                "link.reading-failed",
                "reading from the node failed: {kind}: {error}",
                kind=type(error).__name__,
                error=str(error),
            )
            self._end(LinkLost(what, node=self.node))
        else:
            self._end(LinkLost(await self._last_words(), node=self.node))

    def _broke(self, error: TransportError | OSError) -> LinkLost:
        if isinstance(error, TransportError):
            return LinkLost(error.what, node=self.node, remedy=error.remedy)
        what = message("link.broke", "the connection broke: {error}", error=system_error(error))
        return LinkLost(what, node=self.node)

    async def _last_words(self) -> Message:
        status: int | None = None
        with suppress(TimeoutError, TransportError, OSError):
            async with asyncio.timeout(2):
                status = await self._channel.wait()
        said = " ".join(self._channel.stderr().decode("utf-8", "replace").split())
        ended = message("link.agent-ended", "the agent ended")
        if status is not None:
            ended = message("link.agent-exited", "the agent ended with status {status}", status=status)
        if self._decoder.pending:
            ended = message("link.agent-cut", "{ended} in the middle of a frame", ended=ended)
        return with_output(ended, said) if said else ended

    async def _stay_alive(self) -> None:
        for token in itertools.count(1):
            self._pings = {token: time.monotonic()}
            try:
                await self.write(frames.Ping(token))
            except LinkLost:
                return
            await asyncio.sleep(_PING_EVERY)
            if time.monotonic() - self._heard > _SILENT_AFTER:
                what = message(
                    "link.silent", "no data from the agent for {seconds:.0f} s", seconds=_SILENT_AFTER
                )
                self._end(LinkLost(what, node=self.node))
                return

    def _dispatch(self, frame: Frame) -> None:
        header = frame.header
        if isinstance(header, frames.Hello):
            if header.protocol != PROTOCOL:
                raise FrameError(
                    message(
                        "link.version",
                        "its protocol version is {version}, not {wanted}",
                        version=header.protocol,
                        wanted=PROTOCOL,
                    )
                )
            if self.hello is not None:
                raise FrameError(message("link.second-hello", "it sent a second hello"))
            self.hello = header
            self._greeted.set()
        elif self.hello is None:
            raise FrameError(
                message(
                    "link.before-hello",
                    "it sent a {kind} frame before its hello",
                    kind=type(header).__name__.lower(),
                )
            )
        elif isinstance(header, frames.Pong):
            sent = self._pings.pop(header.token, None)
            if sent is not None:
                self.latency = time.monotonic() - sent
        elif isinstance(header, frames.Fault):
            raise FrameError(
                message("link.rejected", "it rejected a frame: {fault}", fault=header.message[:300])
            )
        elif isinstance(header, (frames.Item, frames.Done, frames.Fail, frames.Credit)):
            request = self._requests.get(header.id)
            if request is None:
                raise FrameError(
                    message(
                        "link.unknown-request",
                        "it sent a {kind} frame for request {number}, which is not running",
                        kind=type(header).__name__.lower(),
                        number=header.id,
                    )
                )
            if isinstance(header, (frames.Done, frames.Fail)):
                del self._requests[header.id]
            request.receive(header, frame)
        else:
            raise FrameError(
                message(
                    "link.console-frame",
                    "it sent a {kind} frame, which only a console sends",
                    kind=type(header).__name__.lower(),
                )
            )

    def _end(self, reason: FleetError) -> FleetError:
        if self._ended is None:
            self._ended = reason
            self.lost.set()
            self._greeted.set()
            for request in self._requests.values():
                request.break_off(reason)
            self._requests.clear()
        return self._ended


__all__ = ["AgentClient", "Item", "Request"]
