"""One request to a node's agent: its upload, its answer, and their limits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from agent.wire import frames
from agent.wire.decode import WireError, decode
from agent.wire.frames import MAX_IN_FLIGHT, WINDOW, Frame, FrameError, encode
from agent.wire.message import Message, message
from agent.wire.operation import Operation
from fleet.errors import FleetError, InvalidAnswer, LinkLost, OperationFailed

A = TypeVar("A")
U = TypeVar("U")
I = TypeVar("I")  # noqa: E741 -- the item, as in agent.wire.operation
R = TypeVar("R")

#: Seconds in which a node has to consume what was sent, before more can be sent.
_SEND_SECONDS = 45.0
#: Seconds for a node that sends to accept our credit for it.
_CREDIT_SECONDS = 30.0


class Limits(NamedTuple):
    """Seconds for a whole request, and without any frame of it; None sets no limit."""

    seconds: float | None
    silence: float | None


class Item(NamedTuple, Generic[I]):
    """One piece of an answer."""

    body: I
    payload: bytes


class Connection(Protocol):
    """What a request needs of the connection that it travels on."""

    node: str

    def begin(self, request: AnyRequest) -> None:
        """Route the request's frames to it; raises LinkLost."""
        ...

    async def write(self, header: frames.Header, seconds: float = ...) -> None:
        """Send a frame without payload; raises LinkLost."""
        ...

    async def write_encoded(self, frame: bytes, seconds: float = ...) -> None:
        """Send a frame's bytes; raises LinkLost."""
        ...


class Request(Generic[A, U, I, R]):
    """One active request: send pieces, iterate over the answer, then read ``result``.

    Leaving the ``async with`` block before the end of the answer cancels the request on the node. An answer
    that is not of the operation's type raises InvalidAnswer, one that takes too long raises OperationFailed.
    """

    def __init__(
        self, client: Connection, number: int, operation: Operation[A, U, I, R], args: A, limits: Limits
    ) -> None:
        self.number = number
        self._limits = limits
        self._client = client
        self._operation = operation
        self._args = args
        self._items: deque[tuple[frames.Item, Frame]] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._consumed = 0
        self._outstanding = 0
        self._uploaded = False
        self._over = False
        #: Whether the agent has sent its last frame of this request.
        self._answered = False
        self._result: R | None = None
        self._error: FleetError | None = None
        self._abandoned = False
        self._begun = self._heard = time.monotonic()

    @property
    def result(self) -> R:
        """The final answer, once the iteration has ended."""
        if not self._over:
            raise RuntimeError("the request has not ended")
        return self._result  # type: ignore[return-value]  # set together with `_over`

    async def __aenter__(self) -> Self:
        self._client.begin(self)
        await self._client.write(frames.Call(self.number, self._operation.name, self._args))
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._answered and not isinstance(self._error, LinkLost):
            self._abandoned = True
            self._items.clear()
            with suppress(LinkLost):
                await self._client.write(frames.Cancel(self.number))

    async def send(self, body: U, payload: bytes = b"") -> None:
        """Send one upload piece, waiting while WINDOW bytes are unconsumed. Raises FleetError.

        Returns immediately, without sending, when the answer is already complete: its reader gets the reason.
        """
        await self._until(lambda: self._outstanding < WINDOW, _SEND_SECONDS)
        if self._error is not None:
            raise self._error
        if self._over:
            return
        frame = encode(frames.Data(self.number, body), payload)
        # Counted before it is written: the credit may arrive before the write returns.
        self._outstanding += len(frame)
        await self._client.write_encoded(frame)

    async def end(self) -> None:
        """Send the end of the upload."""
        if not self._uploaded and not self._over:
            self._uploaded = True
            await self._client.write(frames.End(self.number))

    async def __aiter__(self) -> AsyncIterator[Item[I]]:
        while True:
            await self._until(lambda: bool(self._items))
            if self._seconds_left(None) == 0:
                # Also during an endless stream of items.
                raise self._overdue()
            if not self._items:
                if self._error is not None:
                    raise self._error
                return
            header, frame = self._items.popleft()
            self._waiting_bytes -= frame.size
            await self._give_credit(frame.size)
            try:
                body = decode(self._operation.item, header.body)
            except WireError as error:
                fault = message("link.item", "an item of its answer: {fault}", fault=str(error))
                raise self._invalid(fault) from None
            yield Item(body, frame.payload)

    async def _give_credit(self, size: int) -> None:
        self._consumed += size
        if self._consumed >= WINDOW // 8 and not self._over and self._error is None:
            credit, self._consumed = self._consumed, 0
            left = self._seconds_left(None)
            seconds = _CREDIT_SECONDS if left is None else min(_CREDIT_SECONDS, left)
            with suppress(LinkLost):  # items that have arrived can still be read
                await self._client.write(frames.Credit(self.number, credit), seconds)

    async def _until(self, ready: Callable[[], bool], silence: float | None = None) -> None:
        while not (ready() or self._over or self._error):
            self._changed.clear()
            try:
                async with asyncio.timeout(self._seconds_left(silence)):
                    await self._changed.wait()
            except TimeoutError:
                if self._seconds_left(silence) == 0:
                    self._error = self._overdue()

    def _seconds_left(self, silence: float | None) -> float | None:
        now = time.monotonic()
        silence = silence or self._limits.silence
        ends = []
        if self._limits.seconds is not None:
            ends.append(self._begun + self._limits.seconds)
        if silence is not None:
            ends.append(self._heard + silence)
        return max(0.0, min(ends) - now) if ends else None

    def _overdue(self) -> FleetError:
        waited = time.monotonic() - self._begun
        return OperationFailed(
            "timeout",
            message(
                "link.overdue",
                "the agent has not answered `{operation}` after {seconds:.0f} s",
                operation=self._operation.name,
                seconds=waited,
            ),
            node=self._client.node,
            remedy=message("link.overdue.remedy", "check the node's load and disk, then try again"),
        )

    def _invalid(self, what: Message) -> InvalidAnswer:
        return InvalidAnswer(self._operation.name, what, node=self._client.node)

    # ---- called by the client, which must never wait here: it is the only reader of the channel

    def receive(self, header: frames.Item | frames.Done | frames.Fail | frames.Credit, frame: Frame) -> None:
        """Accept one frame of this request; raises FrameError when the agent exceeds its window."""
        self._heard = time.monotonic()
        self._answered = isinstance(header, frames.Done | frames.Fail)
        if isinstance(header, frames.Item):
            # Items of an abandoned request are dropped; its cancellation frees the node's window.
            if not self._abandoned:
                self._waiting_bytes += frame.size
                if self._waiting_bytes > MAX_IN_FLIGHT:
                    raise FrameError(
                        message(
                            "link.window",
                            "it sent more than the window of {size:bytes} for request {number}",
                            size=WINDOW,
                            number=self.number,
                        )
                    )
                self._items.append((header, frame))
        elif isinstance(header, frames.Credit):
            if not 0 < header.bytes <= self._outstanding:
                raise FrameError(
                    message(
                        "link.credit",
                        "it sent a credit of {size:n byte} for request {number}",
                        size=header.bytes,
                        number=self.number,
                    )
                )
            self._outstanding -= header.bytes
        elif isinstance(header, frames.Done):
            try:
                self._result = decode(self._operation.result, header.body)
                self._over = True
            except WireError as error:
                fault = message("link.result", "its result: {fault}", fault=str(error))
                self._error = self._error or self._invalid(fault)
        elif self._error is None:
            self._error = OperationFailed.from_fail(header, node=self._client.node)
        self._changed.set()

    def break_off(self, reason: FleetError) -> None:
        """End the request because the connection is lost; items already received can still be read."""
        if self._error is None and not self._over:
            self._error = reason
        self._changed.set()


AnyRequest = Request[Any, Any, Any, Any]
