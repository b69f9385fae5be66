"""The console's end of one channel to an agent: many requests at once, each stream bounded."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, NamedTuple, Self

from agent.protocol import PROTOCOL, SILENCE_LIMIT, WINDOW, Frame, FrameDecoder, FrameError, encode
from fleet.errors import FleetError, LinkLost, OperationFailed
from transports.base import Channel
from transports.errors import TransportError

_PING_EVERY = SILENCE_LIMIT / 6
_SILENT_AFTER = SILENCE_LIMIT / 2


class Item(NamedTuple):
    """One piece of an answer."""

    body: Any
    payload: bytes


class AgentClient:
    """Requests to one agent. Create with :meth:`open`; all calls on one event loop."""

    def __init__(self, channel: Channel, node: str) -> None:
        self.node = node
        #: The agent's first words: pid, python, executable, platform, host.
        self.hello: dict[str, Any] = {}
        #: Seconds of the last round trip, None before the first.
        self.latency: float | None = None
        self._channel = channel
        self._decoder = FrameDecoder()
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
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
            client._end(LinkLost("the agent did not say hello", node=node))
        if client._ended is not None:
            await client.close()
            raise client._ended
        return client

    def request(self, op: str, **args: Any) -> Request:
        """Return a request to be used as ``async with``; it is sent on entry."""
        return Request(self, next(self._numbers), op, args)

    async def call(self, op: str, **args: Any) -> Any:
        """Send a request with an empty upload and return its result, items thrown away; raises FleetError."""
        async with self.request(op, **args) as request:
            await request.end()
            async for _ in request:
                pass
            return request.result

    async def close(self) -> None:
        """Let the agent go; requests under way raise LinkLost."""
        self._end(LinkLost("the link was closed", node=self.node))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        with suppress(TransportError, OSError):
            await self._channel.close()

    # ---- used by Request

    def begin(self, request: Request) -> None:
        """Route the request's frames to it; raises LinkLost when there is no link any more."""
        if self._ended is not None:
            raise self._ended
        self._requests[request.number] = request

    async def write(self, header: dict[str, Any], payload: bytes = b"") -> int:
        """Send a frame, return its encoded size; raises LinkLost."""
        frame = encode(header, payload)
        if self._ended is not None:
            raise self._ended
        try:
            async with self._write_turn:
                await self._channel.write(frame)
        except (TransportError, OSError) as error:
            raise self._end(LinkLost(f"the connection broke: {error}", node=self.node)) from error
        return len(frame)

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
            self._end(LinkLost(f"the agent's answer is not its protocol: {error}", node=self.node))
        except (TransportError, OSError) as error:
            self._end(LinkLost(f"the connection broke: {error}", node=self.node))
        else:
            self._end(LinkLost(await self._last_words(), node=self.node))

    async def _last_words(self) -> str:
        status: int | None = None
        with suppress(TimeoutError, TransportError, OSError):
            async with asyncio.timeout(2):
                status = await self._channel.wait()
        said = " ".join(self._channel.stderr().decode("utf-8", "replace").split())[-300:]
        cut = " in the middle of a frame" if self._decoder.pending else ""
        ending = f" with status {status}" if status is not None else ""
        return f"the agent ended{cut}{ending}" + (f", saying {said!r}" if said else "")

    async def _stay_alive(self) -> None:
        for token in itertools.count(1):
            self._pings = {token: time.monotonic()}
            try:
                await self.write({"kind": "ping", "token": token})
            except LinkLost:
                return
            await asyncio.sleep(_PING_EVERY)
            if time.monotonic() - self._heard > _SILENT_AFTER:
                self._end(LinkLost(f"the agent has been silent for {_SILENT_AFTER:.0f} s", node=self.node))
                return

    def _dispatch(self, frame: Frame) -> None:
        if frame.kind == "hello":
            if frame.header.get("protocol") != PROTOCOL:
                raise FrameError(f"it speaks protocol {frame.header.get('protocol')}, not {PROTOCOL}")
            self.hello = frame.header
            self._greeted.set()
        elif frame.kind == "pong":
            sent = self._pings.pop(frame.header.get("token", 0), None)
            if sent is not None:
                self.latency = time.monotonic() - sent
        elif frame.kind == "fault":
            raise FrameError(f"it could not read a frame of ours: {frame.header.get('message')}")
        elif frame.kind in ("item", "done", "fail", "credit"):
            request = self._requests.get(frame.id)
            if request is None:
                raise FrameError(f"a {frame.kind} frame for request {frame.id}, which is not under way")
            if frame.kind in ("done", "fail"):
                del self._requests[frame.id]
            request.take(frame)
        else:
            raise FrameError(f"an agent does not send {frame.kind} frames")

    def _end(self, reason: FleetError) -> FleetError:
        if self._ended is None:
            self._ended = reason
            self.lost.set()
            self._greeted.set()
            for request in self._requests.values():
                request.break_off(reason)
            self._requests.clear()
        return self._ended


class Request:
    """One request under way: send pieces, iterate over the answer, then read ``result``.

    Leaving the ``async with`` block before the answer's end cancels the request on the node.
    """

    def __init__(self, client: AgentClient, number: int, op: str, args: dict[str, Any]) -> None:
        self.number = number
        #: The body of the final answer, once the iteration has ended.
        self.result: Any = None
        self._client = client
        self._op = op
        self._args = args
        self._items: deque[Frame] = deque()
        self._changed = asyncio.Event()
        self._consumed = 0
        self._outstanding = 0
        self._uploaded = False
        self._over = False
        self._error: FleetError | None = None
        self._abandoned = False

    async def __aenter__(self) -> Self:
        self._client.begin(self)
        await self._client.write({"kind": "call", "id": self.number, "op": self._op, "args": self._args})
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._over and self._error is None:
            self._abandoned = True
            self._items.clear()
            with suppress(LinkLost):
                await self._client.write({"kind": "cancel", "id": self.number})

    async def send(self, body: Any = None, payload: bytes = b"") -> None:
        """Send one upload piece, waiting while WINDOW bytes are unconsumed. Raises FleetError.

        Returns at once, sending nothing, when the answer is complete already: its reader learns why.
        """
        await self._until(lambda: self._outstanding < WINDOW)
        if self._error is not None:
            raise self._error
        if self._over:
            return
        size = await self._client.write({"kind": "data", "id": self.number, "body": body}, payload)
        self._outstanding += size

    async def end(self) -> None:
        """Say that the upload is complete."""
        if not self._uploaded and not self._over:
            self._uploaded = True
            await self._client.write({"kind": "end", "id": self.number})

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            await self._until(lambda: bool(self._items))
            if not self._items:
                if self._error is not None:
                    raise self._error
                return
            frame = self._items.popleft()
            await self._give_credit(frame.size)
            yield Item(frame.header.get("body"), frame.payload)

    async def _give_credit(self, size: int) -> None:
        self._consumed += size
        if self._consumed >= WINDOW // 8 and not self._over and self._error is None:
            credit, self._consumed = self._consumed, 0
            with suppress(LinkLost):  # items that have arrived can still be read
                await self._client.write({"kind": "credit", "id": self.number, "bytes": credit})

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not (ready() or self._over or self._error):
            self._changed.clear()
            await self._changed.wait()

    # ---- called by the client, which must never wait here: it is the only reader of the channel

    def take(self, frame: Frame) -> None:
        """Accept one frame of this request."""
        header = frame.header
        if frame.kind == "item":
            # Of an abandoned request nothing is wanted; its cancellation frees the node's window.
            if not self._abandoned:
                self._items.append(frame)
        elif frame.kind == "credit":
            self._outstanding -= int(header["bytes"])
        elif frame.kind == "done":
            self._over, self.result = True, header.get("body")
        else:
            self._error = OperationFailed(
                str(header.get("code")),
                str(header.get("message")),
                node=self._client.node,
                remedy=str(header.get("hint") or ""),
            )
        self._changed.set()

    def break_off(self, reason: FleetError) -> None:
        """End the request because the link is gone; items already here can still be read."""
        if self._error is None and not self._over:
            self._error = reason
        self._changed.set()
