"""What one end of a channel knows, and which frames follow from that. Runs on the node too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from transports.winrm.reliable.frames import OVERHEAD, PIECE, SNAPSHOT, FrameError, Frames
from transports.winrm.reliable.snapshot import decode, encode
from transports.winrm.reliable.streams import WINDOW, Incoming, Outgoing

#: Seconds until a snapshot: after a change, while something of ours is not confirmed, and when idle.
SOON, UNCONFIRMED, IDLE = 0.2, 1.0, 10.0
#: What the other end may send without progress (repeated, out of order, or no frames at all), in bytes, and
#: how much more each second. An honest end repeats a window or two after a broken connection.
USELESS, USELESS_PER_SECOND = 16 * WINDOW, 1 << 16
#: A frame counts for so many bytes besides its own, and a byte outside of frames for so many: they take time.
_FRAME_COSTS, _NOISE_COSTS = 4096, 8
#: A byte of progress makes up for so many without.
_PROGRESS_PAYS = 256


class Peer:
    """One end of a channel, without any I/O; guard every use with ``changed``."""

    def __init__(
        self, key: bytes, sends: Iterable[int], receives: Iterable[int], clock: Callable[[], float]
    ) -> None:
        self.changed = threading.Condition()
        self.out = {stream: Outgoing() for stream in sends}
        self.into = {stream: Incoming() for stream in receives}
        #: What else this end tells, and what the other end told (``exit``, ``bye``, ...).
        self.news: dict[str, Any] = {}
        self.told: dict[str, Any] = {}
        self.heard_at = clock()
        self._clock = clock
        self._frames = Frames(key)
        self._again = self._again_done = 0
        self._asked_at = -UNCONFIRMED
        self._urgent = True
        self._snapshot_at = clock()
        self._reported = 0
        self._heard = 0
        self._useless = 0.0
        self._useless_at = clock()

    def tell(self, **news: Any) -> None:
        """Add to what this end tells, with the next frames."""
        self.news.update(news)
        self.hurry()

    def hurry(self) -> None:
        """Send a snapshot with the next frames."""
        self._urgent = True
        self.changed.notify_all()

    def lost_input(self) -> None:
        """The input is known to be broken here: ask for all that is not confirmed."""
        self._frames.reset()
        self._again += 1
        self._asked_at = self._clock()
        self.hurry()

    def receive(self, data: bytes) -> None:
        """Take bytes from the other end; raises FrameError when it is not an honest one."""
        now = self._clock()
        noise = len(data) + self._frames.kept
        self._useless = max(0.0, self._useless - (now - self._useless_at) * USELESS_PER_SECOND)
        self._useless_at = now
        for kind, offset, payload in self._frames.unpack(data):
            self.heard_at = now
            before = self._gained()
            if kind == SNAPSHOT:
                self._learn(decode(payload, self.out, self.into))
            elif kind not in self.into:
                raise FrameError("it sends a stream that is not its own")
            elif not self.into[kind].accept(offset, payload):
                self._ask()
            size = OVERHEAD + len(payload)
            noise -= size
            self._tolerate(size + _FRAME_COSTS, self._gained() - before)
        self._tolerate((noise - self._frames.kept) * _NOISE_COSTS, 0)
        self._weigh()
        self.changed.notify_all()

    def read(self, stream: int, limit: int) -> bytes:
        """Take up to ``limit`` bytes that wait to be read."""
        data = self.into[stream].read(limit)
        self._weigh()
        if self._urgent:
            self.changed.notify_all()
        return data

    def pending(self) -> float:
        """Seconds until `gather` has something to send, 0 when it has."""
        if self._urgent or any(min(out.written, out.room) > out.next for out in self.out.values()):
            return 0.0
        if self._progress() > self._reported:
            wait = SOON
        elif self._heard < self._facts() or any(out.next > out.confirmed for out in self.out.values()):
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
            "sure": {stream: out.confirmed for stream, out in self.out.items()},
            "heard": self._learned(),
            "again": self._again,
            "news": self.news,
        }
        return self._frames.pack(SNAPSHOT, 0, encode(body))

    def _learn(self, body: dict[str, Any]) -> None:
        # An old snapshot may come late: everything in it only ever grows.
        for stream, out in self.out.items():
            out.confirm(body["have"][stream], body["room"][stream])
        if body["again"] > self._again_done:
            self._again_done = body["again"]
            self._urgent = True
            for out in self.out.values():
                out.next = out.confirmed
        for stream, into in self.into.items():
            into.claim(body["sent"][stream], body["sure"][stream], body["ends"].get(stream))
            if body["sent"][stream] > into.have:
                self._ask()
            if body["sure"][stream] < into.have:
                # Our last report may be lost.
                self._reported = -1
        for name, item in body["news"].items():
            if self.told.setdefault(name, item) != item:
                raise FrameError("it changes what it told")
        self._heard = max(self._heard, body["heard"])

    def _ask(self) -> None:
        if self._clock() - self._asked_at >= UNCONFIRMED / 2:
            self._again += 1
            self._asked_at = self._clock()
            self._urgent = True

    def _weigh(self) -> None:
        if self._progress() - self._reported > WINDOW // 4:
            self._urgent = True

    def _tolerate(self, cost: int, gained: int) -> None:
        """Account for what was received; raises FrameError when too much of it was useless."""
        if gained > 0:
            self._useless = max(0.0, self._useless - gained * _PROGRESS_PAYS)
            return
        self._useless += cost
        if self._useless > USELESS:
            raise FrameError("it repeats itself without end")

    def _gained(self) -> int:
        """How much came of what the other end has sent so far."""
        return (
            self._learned()
            + sum(out.confirmed for out in self.out.values())
            + sum(into.have for into in self.into.values())
        )

    def _progress(self) -> int:
        return self._learned() + sum(into.consumed + into.have for into in self.into.values())

    def _facts(self) -> int:
        """How many things we have told besides the streams' bytes."""
        return len(self.news) + sum(out.ended for out in self.out.values())

    def _learned(self) -> int:
        """How many such things the other end has told."""
        return len(self.told) + sum(into.length is not None for into in self.into.values())
