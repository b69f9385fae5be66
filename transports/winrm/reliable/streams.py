"""The two ends of one byte stream, by offset. Runs on the node too."""

from __future__ import annotations

from transports.winrm.reliable.frames import FrameError

#: Bytes of a stream that may be on their way or wait for their reader.
WINDOW = 4 << 20


class Outgoing:
    """A stream that we send: what the other side has not confirmed is kept."""

    def __init__(self) -> None:
        self.confirmed = 0
        self.next = 0
        self.room = WINDOW
        self.ended = False
        self._kept = bytearray()

    @property
    def written(self) -> int:
        """Offset of the stream's end so far."""
        return self.confirmed + len(self._kept)

    @property
    def free(self) -> int:
        """How many bytes may be written now."""
        return WINDOW - len(self._kept)

    def write(self, data: bytes) -> None:
        """Append to the stream."""
        self._kept += data

    def piece(self, most: int) -> bytes:
        """Return the bytes at ``next`` that the other side has room for, and move on."""
        size = max(0, min(most, self.written - self.next, self.room - self.next))
        start = self.next - self.confirmed
        self.next += size
        return bytes(self._kept[start : start + size])

    def confirm(self, offset: int, room: int) -> None:
        """The other side has everything before ``offset`` and takes up to ``room``; raises FrameError."""
        if offset > self.written:
            raise FrameError("it confirms bytes that were never sent")
        if room > offset + WINDOW:
            raise FrameError("it offers more room than a window has")
        self.room = max(self.room, room)
        if self.confirmed < offset <= self.written:
            del self._kept[: offset - self.confirmed]
            self.confirmed = offset
            self.next = max(self.next, offset)


class Incoming:
    """A stream that we receive: gapless, each byte once."""

    def __init__(self) -> None:
        self.have = 0
        self.consumed = 0
        #: Total length, once the other side told it.
        self.length: int | None = None
        self.waiting = bytearray()

    @property
    def limit(self) -> int:
        """Offset that the other side may send up to."""
        return self.consumed + WINDOW

    @property
    def at_end(self) -> bool:
        """Whether everything was received and read."""
        return self.length == self.consumed

    def accept(self, offset: int, data: bytes) -> bool:
        """Take what is new of a piece; False when bytes before it are missing. Raises FrameError."""
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

    def claim(self, sent: int, confirmed: int, length: int | None) -> None:
        """Check what the other side says of this stream, and learn its length; raises FrameError."""
        if sent > self.limit or confirmed > self.have:
            raise FrameError("it claims offsets that it cannot know")
        if length is None:
            return
        if length < self.have or length > self.have + WINDOW or self.length not in (None, length):
            raise FrameError("it claims a length that the stream cannot have")
        self.length = length

    def read(self, limit: int) -> bytes:
        """Take up to ``limit`` bytes from what waits."""
        data = bytes(self.waiting[:limit])
        del self.waiting[:limit]
        self.consumed += len(data)
        return data
