"""The protocol state of one end of a channel, and the frames that are due. Runs on the node too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from transports.winrm.reliable.frames import OVERHEAD, PIECE, SNAPSHOT, FrameError, Frames
from transports.winrm.reliable.snapshot import decode, encode
from transports.winrm.reliable.streams import WINDOW, Incoming, Outgoing

#: Seconds until the next snapshot: after a change, while sent data is unconfirmed, and when idle.
SOON, UNCONFIRMED, IDLE = 0.2, 1.0, 10.0
#: Bytes that the other end may send without progress (repeated, out of order, or outside of frames), and how
#: many more per second. An honest end repeats a window or two after a broken connection.
USELESS, USELESS_PER_SECOND = 16 * WINDOW, 1 << 16
#: Added to the size of a useless frame, and the weight of a byte outside of frames: both take time to parse.
_FRAME_COST, _NOISE_COST = 4096, 8
#: Useless bytes that one byte of progress offsets.
_PROGRESS_CREDIT = 256


class Peer:
    """One end of a channel, without any I/O; hold ``changed`` during every use."""

    def __init__(
        self, key: bytes, sends: Iterable[int], receives: Iterable[int], clock: Callable[[], float]
    ) -> None:
        self.changed = threading.Condition()
        self.out = {stream: Outgoing() for stream in sends}
        self.into = {stream: Incoming() for stream in receives}
        #: State besides the streams (``exit``, ``bye``, ...) that this end reports, and that it has received.
        self.local_state: dict[str, Any] = {}
        self.remote_state: dict[str, Any] = {}
        self.last_frame_at = clock()
        self._clock = clock
        self._frames = Frames(key)
        self._resends = self._resends_done = 0
        self._resend_at = -UNCONFIRMED
        self._urgent = True
        self._snapshot_at = clock()
        self._reported = 0
        self._acknowledged = 0
        self._useless = 0.0
        self._useless_at = clock()

    def report(self, **state: Any) -> None:
        """Report ``state`` with the next frames."""
        self.local_state.update(state)
        self.send_soon()

    def send_soon(self) -> None:
        """Send a snapshot with the next frames."""
        self._urgent = True
        self.changed.notify_all()

    def request_resend(self) -> None:
        """Request all unconfirmed data again, because a connection broke and input may be missing."""
        self._frames.reset()
        self._resends += 1
        self._resend_at = self._clock()
        self.send_soon()

    def receive(self, data: bytes) -> None:
        """Process bytes from the other end; raises FrameError if they violate the protocol."""
        now = self._clock()
        noise = len(data) + self._frames.buffered
        self._useless = max(0.0, self._useless - (now - self._useless_at) * USELESS_PER_SECOND)
        self._useless_at = now
        for kind, offset, payload in self._frames.unpack(data):
            self.last_frame_at = now
            before = self._received_progress()
            if kind == SNAPSHOT:
                self._apply(decode(payload, self.out, self.into))
            elif kind not in self.into:
                raise FrameError("it sends a stream that is not its own")
            elif not self.into[kind].accept(offset, payload):
                self._request_missing()
            size = OVERHEAD + len(payload)
            noise -= size
            self._charge(size + _FRAME_COST, self._received_progress() - before)
        self._charge((noise - self._frames.buffered) * _NOISE_COST, 0)
        self._check_window()
        self.changed.notify_all()

    def read(self, stream: int, limit: int) -> bytes:
        """Remove and return up to ``limit`` received bytes of a stream."""
        data = self.into[stream].read(limit)
        self._check_window()
        if self._urgent:
            self.changed.notify_all()
        return data

    def pending(self) -> float:
        """Return the seconds until `gather` has something to send; 0 if it has."""
        if self._urgent or any(min(out.written, out.room) > out.next for out in self.out.values()):
            return 0.0
        if self._progress() > self._reported:
            wait = SOON
        elif self._acknowledged < self._local_items() or any(
            out.next > out.confirmed for out in self.out.values()
        ):
            wait = UNCONFIRMED
        else:
            wait = IDLE
        return max(0.0, self._snapshot_at + wait - self._clock())

    def gather(self, most: int) -> bytes:
        """Return the frames that are due, about ``most`` bytes of them at most."""
        parts: list[bytes] = []
        for stream, out in self.out.items():
            while most > OVERHEAD:
                offset = out.next
                piece = out.piece(min(PIECE, most - OVERHEAD))
                if not piece:
                    break
                parts.append(self._frames.pack(stream, offset, piece))
                most -= len(parts[-1])
        if self._urgent or self._snapshot_at + SOON <= self._clock():
            parts.append(self._snapshot())
        return b"".join(parts)

    def _snapshot(self) -> bytes:
        self._urgent = False
        self._snapshot_at = self._clock()
        self._reported = self._progress()
        body = {
            "have": {stream: into.have for stream, into in self.into.items()},
            "room": {stream: into.consumed + WINDOW for stream, into in self.into.items()},
            "sent": {stream: out.next for stream, out in self.out.items()},
            "ends": {stream: out.written for stream, out in self.out.items() if out.ended},
            "confirmed": {stream: out.confirmed for stream, out in self.out.items()},
            "acknowledged": self._remote_items(),
            "resends": self._resends,
            "state": self.local_state,
        }
        return self._frames.pack(SNAPSHOT, 0, encode(body))

    def _apply(self, body: dict[str, Any]) -> None:
        # An old snapshot may arrive late; its values never decrease.
        for stream, out in self.out.items():
            out.confirm(body["have"][stream], body["room"][stream])
        if body["resends"] > self._resends_done:
            self._resends_done = body["resends"]
            self._urgent = True
            for out in self.out.values():
                out.next = out.confirmed
        for stream, into in self.into.items():
            into.check(body["sent"][stream], body["confirmed"][stream], body["ends"].get(stream))
            if body["sent"][stream] > into.have:
                self._request_missing()
            if body["confirmed"][stream] < into.have:
                # The last snapshot may be lost.
                self._reported = -1
        for name, item in body["state"].items():
            if self.remote_state.setdefault(name, item) != item:
                raise FrameError("it changes a state that it reported")
        self._acknowledged = max(self._acknowledged, body["acknowledged"])

    def _request_missing(self) -> None:
        if self._clock() - self._resend_at >= UNCONFIRMED / 2:
            self._resends += 1
            self._resend_at = self._clock()
            self._urgent = True

    def _check_window(self) -> None:
        if self._progress() - self._reported > WINDOW // 4:
            self._urgent = True

    def _charge(self, cost: int, gained: int) -> None:
        """Account for received bytes; raises FrameError if too many of them made no progress."""
        if gained > 0:
            self._useless = max(0.0, self._useless - gained * _PROGRESS_CREDIT)
            return
        self._useless += cost
        if self._useless > USELESS:
            raise FrameError("it repeats itself without end")

    def _received_progress(self) -> int:
        """Return the progress that the other end's frames have made, in bytes and state items."""
        return (
            self._remote_items()
            + sum(out.confirmed for out in self.out.values())
            + sum(into.have for into in self.into.values())
        )

    def _progress(self) -> int:
        return self._remote_items() + sum(into.consumed + into.have for into in self.into.values())

    def _local_items(self) -> int:
        """Return the number of state items and stream lengths that this end has reported."""
        return len(self.local_state) + sum(out.ended for out in self.out.values())

    def _remote_items(self) -> int:
        """Return the number of state items and stream lengths that the other end has reported."""
        return len(self.remote_state) + sum(into.length is not None for into in self.into.values())
