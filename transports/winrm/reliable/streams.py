"""The two ends of one byte stream, by offset. Runs on the node too."""

from __future__ import annotations

from transports.winrm.reliable.frames import FrameError

#: Bytes of a stream that may be in transit or unread.
WINDOW = 4 << 20


class Outgoing:
    """A stream that this end sends; bytes are buffered until the other end confirms them."""

    def __init__(self) -> None:
        self.confirmed = 0
        self.next = 0
        self.room = WINDOW
        self.ended = False
        self._buffer = bytearray()

    @property
    def written(self) -> int:
        """Offset of the stream's end so far."""
        return self.confirmed + len(self._buffer)

    @property
    def free(self) -> int:
        """Number of bytes that may be written now."""
        return WINDOW - len(self._buffer)

    def write(self, data: bytes) -> None:
        """Append to the stream; at most `free` bytes."""
        self._buffer += data

    def piece(self, most: int) -> bytes:
        """Return the bytes at ``next`` that fit into the other end's window, and advance ``next``."""
        size = max(0, min(most, self.written - self.next, self.room - self.next))
        start = self.next - self.confirmed
        self.next += size
        return bytes(self._buffer[start : start + size])

    def confirm(self, offset: int, room: int) -> None:
        """Drop the bytes before ``offset``, and accept ``room`` as the limit; raises FrameError."""
        if offset > self.written:
            raise FrameError("it confirms bytes that were never sent")
        if room > offset + WINDOW:
            raise FrameError("it offers more room than a window")
        self.room = max(self.room, room)
        if self.confirmed < offset <= self.written:
            del self._buffer[: offset - self.confirmed]
            self.confirmed = offset
            self.next = max(self.next, offset)


class Incoming:
    """A stream that this end receives: without gaps, each byte once."""

    def __init__(self) -> None:
        self.have = 0
        self.consumed = 0
        #: Total length, once the other end has reported it.
        self.length: int | None = None
        self.waiting = bytearray()

    @property
    def limit(self) -> int:
        """Offset up to which the other end may send."""
        return self.consumed + WINDOW

    @property
    def at_end(self) -> bool:
        """Whether everything was received and read."""
        return self.length == self.consumed

    def accept(self, offset: int, data: bytes) -> bool:
        """Append the new bytes of a piece; False if bytes before it are missing. Raises FrameError."""
        if offset + len(data) > self.limit:
            raise FrameError("it sends more than its window allows")
        if self.length is not None and offset + len(data) > self.length:
            raise FrameError("it sends bytes behind the end of the stream")
        if offset > self.have:
            return False
        fresh = data[self.have - offset :]
        self.waiting += fresh
        self.have += len(fresh)
        return True

    def check(self, sent: int, confirmed: int, length: int | None) -> None:
        """Check the offsets that the other end reports, and record the length; raises FrameError."""
        if sent > self.limit or confirmed > self.have:
            raise FrameError("it reports impossible offsets")
        if length is None:
            return
        if length < self.have or length > self.have + WINDOW or self.length not in (None, length):
            raise FrameError("it reports a length that the stream cannot have")
        self.length = length

    def read(self, limit: int) -> bytes:
        """Remove and return up to ``limit`` received bytes."""
        data = bytes(self.waiting[:limit])
        del self.waiting[:limit]
        self.consumed += len(data)
        return data
