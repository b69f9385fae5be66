"""Serves one console: reads frames, gives each request a thread, keeps every stream bounded."""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, Callable, Deque, Dict, Generic, NamedTuple, Optional, Tuple, TypeVar, cast

from agent import operations
from agent.wire import frames
from agent.wire.decode import WireError, decode
from agent.wire.frames import (
    MAX_IN_FLIGHT,
    MAX_REQUESTS,
    PROTOCOL,
    SILENCE_LIMIT,
    WINDOW,
    Frame,
    FrameDecoder,
    FrameError,
    encode,
)
from agent.wire.message import EMPTY, Message, message, to_data
from agent.wire.operation import Operation
from agent.wire.reasons import reason_of

A = TypeVar("A")
U = TypeVar("U")
I = TypeVar("I")  # noqa: E741 -- the item, as in agent.wire.operation


class OperationError(Exception):
    """A request can't be done: ``code`` for programs, ``message`` and ``remedy`` for the user."""

    def __init__(self, code: str, message: Message, remedy: Message = EMPTY) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class Cancelled(Exception):
    """The console has cancelled the request, or is gone."""


class Piece(NamedTuple):
    """One piece of a request's upload, its body not checked yet."""

    body: object
    payload: bytes
    size: int


class Call(Generic[A, U, I]):
    """One request, as its operation sees it: arguments ``A``, upload pieces ``U``, answer items ``I``."""

    def __init__(self, server: Server, number: int, operation: Operation[A, U, I, Any], args: A) -> None:
        self.args = args
        self.cancelled = threading.Event()
        self.archive = server.archive
        self._server = server
        self._number = number
        self._operation = operation
        self._turn = threading.Condition()
        self._upload: Deque[Piece] = deque()
        self._upload_size = 0
        self._upload_ended = False
        self._consumed = 0
        self._outstanding = 0

    def send(self, body: I, payload: bytes = b"") -> None:
        """Send one item, waiting while WINDOW bytes are unconsumed; raises Cancelled.

        ``payload`` has at most MAX_PAYLOAD bytes.
        """
        frame = encode(frames.Item(self._number, body), payload)
        with self._turn:
            while self._outstanding >= WINDOW and not self.cancelled.is_set():
                self._turn.wait()
            if self.cancelled.is_set():
                raise Cancelled
            self._outstanding += len(frame)
        self._server.write(frame)

    def receive(self) -> Optional[Tuple[U, bytes]]:
        """Return body and payload of the upload's next piece, None after its end; raises Cancelled."""
        with self._turn:
            while not self._upload and not self._upload_ended and not self.cancelled.is_set():
                self._turn.wait()
            if self.cancelled.is_set():
                raise Cancelled
            if not self._upload:
                return None
            piece = self._upload.popleft()
            self._upload_size -= piece.size
            self._consumed += piece.size
            credit, enough = self._consumed, self._consumed >= WINDOW // 8
            if enough:
                self._consumed = 0
        if enough:
            self._server.send(frames.Credit(self._number, credit))
        try:
            return decode(self._operation.upload, piece.body), piece.payload
        except WireError as error:
            invalid = message(
                "agent.invalid-piece", "an upload piece is not valid: {error}", error=str(error)
            )
            raise OperationError("bad-request", invalid) from None

    # The rest is called by the server's reading thread.

    def receive_data(self, frame: Frame, body: object) -> None:
        """Queue one piece of the upload; raises FrameError when the console exceeds its window."""
        with self._turn:
            self._upload_size += frame.size
            if self._upload_size > MAX_IN_FLIGHT:
                raise FrameError(f"request {self._number} was sent more than its window")
            self._upload.append(Piece(body, frame.payload, frame.size))
            self._turn.notify_all()

    def receive_end(self) -> None:
        """Note that the upload is complete."""
        with self._turn:
            self._upload_ended = True
            self._turn.notify_all()

    def receive_credit(self, size: int) -> None:
        """Note that the console has consumed ``size`` bytes; raises FrameError for more than were sent."""
        with self._turn:
            if not 0 < size <= self._outstanding:
                raise FrameError(f"a credit of {size} bytes for request {self._number}")
            self._outstanding -= size
            self._turn.notify_all()

    def cancel(self) -> None:
        """Wake the operation with Cancelled at its next send or receive."""
        with self._turn:
            self.cancelled.set()
            self._turn.notify_all()


AnyCall = Call[Any, Any, Any]


class Server:
    """The agent's end of one channel: ``read(limit)`` gives b"" at its end, ``write`` takes some bytes."""

    def __init__(
        self,
        read: Callable[[int], bytes],
        write: Callable[[bytes], Optional[int]],
        *,
        archive: str,
        digest: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.archive = archive
        self._digest = digest
        self._read = read
        self._write = write
        self._clock = clock
        self._write_turn = threading.Lock()
        self._calls: Dict[int, AnyCall] = {}
        self._calls_turn = threading.Lock()
        self._heard = clock()

    def run(self) -> int:
        """Serve until the channel ends; return the process's exit status."""
        self.send(self._hello())
        threading.Thread(target=self._leave_when_silent, daemon=True).start()
        decoder = FrameDecoder()
        status = 0
        try:
            while True:
                data = self._read(1 << 16)
                if not data:
                    break
                self._heard = self._clock()
                for frame in decoder.feed(data):
                    self._dispatch(frame)
        except FrameError as error:
            self.send(frames.Fault(str(error)))
            status = 3
        self._cancel_all()
        return status

    def write(self, frame: bytes) -> None:
        """Write one whole encoded frame; a lost console cancels everything."""
        with self._write_turn:
            view = memoryview(frame)
            try:
                while view:
                    view = view[self._write(cast(bytes, view)) or 0 :]
            except OSError:
                self._cancel_all(wait=0.0)

    def send(self, header: frames.Header) -> None:
        """Encode and write a frame without payload."""
        self.write(encode(header))

    def _hello(self) -> frames.Hello:
        return frames.Hello(
            protocol=PROTOCOL,
            digest=self._digest,
            pid=os.getpid(),
            python=platform.python_version(),
            executable=sys.executable,
            platform=sys.platform,
            host=socket.gethostname(),
        )

    def _dispatch(self, frame: Frame) -> None:
        header = frame.header
        if isinstance(header, frames.Ping):
            self.send(frames.Pong(header.token))
        elif isinstance(header, frames.Call):
            self._start(header)
        elif isinstance(header, (frames.Data, frames.End, frames.Credit, frames.Cancel)):
            with self._calls_turn:
                call = self._calls.get(header.id)
            if call is None:
                return  # it has just ended; the frame on its way reports that to the console
            if isinstance(header, frames.Data):
                call.receive_data(frame, header.body)
            elif isinstance(header, frames.End):
                call.receive_end()
            elif isinstance(header, frames.Credit):
                call.receive_credit(header.bytes)
            else:
                call.cancel()
        else:
            raise FrameError(f"a console does not send {type(header).__name__.lower()} frames")

    def _start(self, header: frames.Call) -> None:
        number = header.id
        try:
            operation = operations.declared(header.op)
            call: AnyCall = Call(self, number, operation, decode(operation.args, header.args))
        except operations.UnknownOperation as error:
            remedy = message("agent.unknown-operation.remedy", "the console is newer than its agent")
            self.send(_fail(number, "unknown-operation", error.message, remedy))
            return
        except WireError as error:
            invalid = message(
                "agent.invalid-arguments",
                "arguments of {operation}: {error}",
                operation=header.op,
                error=str(error),
            )
            self.send(_fail(number, "bad-request", invalid))
            return
        with self._calls_turn:
            if number in self._calls:
                raise FrameError(f"request number {number} is in use")
            busy = len(self._calls) >= MAX_REQUESTS
            if not busy:
                self._calls[number] = call
        if busy:
            full = message("agent.busy", "{count} requests are running already", count=MAX_REQUESTS)
            remedy = message("agent.busy.remedy", "try again later")
            self.send(_fail(number, "busy", full, remedy))
            return
        threading.Thread(
            target=self._run, args=(header.op, call, number), name=header.op, daemon=True
        ).start()

    def _run(self, name: str, call: AnyCall, number: int) -> None:
        try:
            last: frames.Header = frames.Done(number, operations.find(name)(call))
        except Cancelled:
            cancelled = message("agent.cancelled", "the request was cancelled")
            last = _fail(number, "cancelled", cancelled)
        except OperationError as error:
            last = _fail(number, error.code, error.message, error.remedy)
        except BaseException as error:  # noqa: BLE001 -- every error must reach the console
            last = _filesystem(number, error) if _is_of_file(error) else _internal(number, name, error)
        try:
            frame = encode(last)
        except (FrameError, TypeError, ValueError) as error:
            frame = encode(_internal(number, name, error))
        with self._calls_turn:
            self._calls.pop(number, None)
        self.write(frame)

    def _cancel_all(self, wait: float = 5.0) -> None:
        with self._calls_turn:
            calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        # Operations that started processes need some time to end them.
        deadline = self._clock() + wait
        while self._clock() < deadline:
            with self._calls_turn:
                if not self._calls:
                    return
            time.sleep(0.02)

    def _leave_when_silent(self) -> None:
        """End when a console vanished without closing the channel, as a lost network does on Windows."""
        while True:
            time.sleep(SILENCE_LIMIT / 10)
            if self._clock() - self._heard > SILENCE_LIMIT:
                self._cancel_all()
                os._exit(4)


def _fail(number: int, code: str, what: Message, remedy: Message = EMPTY) -> frames.Fail:
    return frames.Fail(number, code, to_data(what), to_data(remedy))


def _is_of_file(error: BaseException) -> bool:
    """Return whether the system refused a file: the disk is full, or a program has changed the folder."""
    return isinstance(error, OSError) and error.filename is not None and bool(error.strerror)


def _filesystem(number: int, error: BaseException) -> frames.Fail:
    remedy = message(
        "agent.filesystem.remedy",
        "check the free space, the rights to the project's folder, and what programs change in .dtui",
    )
    return _fail(number, "filesystem", reason_of(error), remedy)


def _internal(number: int, operation: str, error: BaseException) -> frames.Fail:
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(" (%s:%d)" % (os.path.basename(at.filename), at.lineno or 0) for at in where)
    said = message(
        "agent.internal",
        "internal error in {operation}: {kind}: {error}{place}",
        operation=operation,
        kind=type(error).__name__,
        error=str(error)[:2000],
        place=place,
    )
    remedy = message("agent.internal.remedy", "this is a fault in dtui; please report it")
    return _fail(number, "internal", said, remedy)
