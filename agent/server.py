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
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, cast

from agent import operations
from agent.protocol import (
    MAX_PAYLOAD,
    MAX_REQUESTS,
    PROTOCOL,
    SILENCE_LIMIT,
    WINDOW,
    Frame,
    FrameDecoder,
    FrameError,
    encode,
)


class OperationError(Exception):
    """A request can't be done: ``code`` for programs, ``message`` and ``hint`` for a person."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Cancelled(Exception):
    """The console does not want the answer any more, or is gone."""


class Piece(NamedTuple):
    """One piece of a request's upload."""

    body: Any
    payload: bytes


class Call:
    """One request, as its operation sees it: arguments, upload, answer."""

    def __init__(self, server: Server, number: int, args: Dict[str, Any]) -> None:
        self.args = args
        self.cancelled = threading.Event()
        self.archive = server.archive
        self._server = server
        self._number = number
        self._turn = threading.Condition()
        self._upload: Deque[Frame] = deque()
        self._upload_size = 0
        self._upload_ended = False
        self._consumed = 0
        self._outstanding = 0

    def send(self, body: Any = None, payload: bytes = b"") -> None:
        """Send one item, waiting while WINDOW bytes are unconsumed; raises Cancelled.

        ``payload`` has at most MAX_PAYLOAD bytes.
        """
        frame = encode({"kind": "item", "id": self._number, "body": body}, payload)
        with self._turn:
            while self._outstanding >= WINDOW and not self.cancelled.is_set():
                self._turn.wait()
            if self.cancelled.is_set():
                raise Cancelled
            self._outstanding += len(frame)
        self._server.write(frame)

    def receive(self) -> Optional[Piece]:
        """Return the upload's next piece, None after its end; raises Cancelled."""
        with self._turn:
            while not self._upload and not self._upload_ended and not self.cancelled.is_set():
                self._turn.wait()
            if self.cancelled.is_set():
                raise Cancelled
            if not self._upload:
                return None
            frame = self._upload.popleft()
            self._upload_size -= frame.size
            self._consumed += frame.size
            credit, enough = self._consumed, self._consumed >= WINDOW // 8
            if enough:
                self._consumed = 0
        if enough:
            self._server.send({"kind": "credit", "id": self._number, "bytes": credit})
        return Piece(frame.header.get("body"), frame.payload)

    # The rest is called by the server's reading thread.

    def take(self, frame: Frame) -> None:
        """Queue one frame of this request."""
        with self._turn:
            if frame.kind == "data":
                if self._upload_size > WINDOW + MAX_PAYLOAD:
                    raise FrameError(f"request {self._number} was sent more than its window")
                self._upload.append(frame)
                self._upload_size += frame.size
            elif frame.kind == "end":
                self._upload_ended = True
            elif frame.kind == "credit":
                self._outstanding -= int(frame.header["bytes"])
            self._turn.notify_all()

    def cancel(self) -> None:
        """Wake the operation with Cancelled at its next send or receive."""
        with self._turn:
            self.cancelled.set()
            self._turn.notify_all()


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
        self._calls: Dict[int, Call] = {}
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
        except (FrameError, KeyError, TypeError, ValueError) as error:
            self.send({"kind": "fault", "message": str(error)})
            status = 3
        self._cancel_all()
        return status

    def write(self, frame: bytes) -> None:
        """Write one encoded frame whole; a console that is gone cancels everything."""
        with self._write_turn:
            view = memoryview(frame)
            try:
                while view:
                    view = view[self._write(cast(bytes, view)) or 0 :]
            except OSError:
                self._cancel_all(wait=0.0)

    def send(self, header: Dict[str, Any]) -> None:
        """Encode and write a frame without payload."""
        self.write(encode(header))

    def _hello(self) -> Dict[str, Any]:
        return {
            "kind": "hello",
            "protocol": PROTOCOL,
            "digest": self._digest,
            "pid": os.getpid(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "platform": sys.platform,
            "host": socket.gethostname(),
        }

    def _dispatch(self, frame: Frame) -> None:
        if frame.kind == "ping":
            self.send({"kind": "pong", "token": frame.header.get("token")})
        elif frame.kind == "call":
            self._start(frame)
        elif frame.kind in ("data", "end", "credit", "cancel"):
            with self._calls_turn:
                call = self._calls.get(frame.id)
            if call is None:
                return  # it has just ended; the console learns that from the frame under way
            if frame.kind == "cancel":
                call.cancel()
            else:
                call.take(frame)
        else:
            raise FrameError(f"a console does not send {frame.kind} frames")

    def _start(self, frame: Frame) -> None:
        name, args = str(frame.header["op"]), dict(frame.header.get("args") or {})
        call = Call(self, frame.id, args)
        with self._calls_turn:
            if frame.id in self._calls:
                raise FrameError(f"request number {frame.id} is in use")
            busy = len(self._calls) >= MAX_REQUESTS
            if not busy:
                self._calls[frame.id] = call
        if busy:
            self._fail(frame.id, "busy", f"{MAX_REQUESTS} requests are running already", "try again later")
            return
        threading.Thread(target=self._run, args=(name, call, frame.id), name=name, daemon=True).start()

    def _run(self, name: str, call: Call, number: int) -> None:
        try:
            body = operations.find(name)(call)
            last: Dict[str, Any] = {"kind": "done", "id": number, "body": body}
        except Cancelled:
            last = self._failure(number, "cancelled", "the request was cancelled", "")
        except OperationError as error:
            last = self._failure(number, error.code, error.message, error.hint)
        except operations.UnknownOperation as error:
            last = self._failure(
                number, "unknown-operation", str(error), "the console is newer than its agent"
            )
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the console must hear of it
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"
            last = self._failure(number, "internal", text, "this is a fault in dtui; please report it")
        with self._calls_turn:
            self._calls.pop(number, None)
        self.send(last)

    def _failure(self, number: int, code: str, message: str, hint: str) -> Dict[str, Any]:
        return {"kind": "fail", "id": number, "code": code, "message": message, "hint": hint}

    def _fail(self, number: int, code: str, message: str, hint: str) -> None:
        self.send(self._failure(number, code, message, hint))

    def _cancel_all(self, wait: float = 5.0) -> None:
        with self._calls_turn:
            calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        # Operations that started processes need a moment to end them.
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
