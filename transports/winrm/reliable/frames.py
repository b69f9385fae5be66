"""Frames in a byte stream from which pieces may be missing. Runs on the node too."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

STDIN, STDOUT, STDERR, SNAPSHOT = 0, 1, 2, 9
KEY_SIZE = 8
#: Most bytes of a stream, or of a snapshot, in one frame, and the most that a frame adds to them.
PIECE = 1 << 16

_HEAD = struct.Struct(">BQII")
OVERHEAD = KEY_SIZE + _HEAD.size


class FrameError(Exception):
    """The other end violated the protocol: the channel ends."""


class Frames:
    """Packs frames and finds them again in a byte stream from which pieces may be missing."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._buffer = bytearray()

    def pack(self, kind: int, offset: int, payload: bytes) -> bytes:
        """Return a frame: key, kind, offset, length, CRC-32 of the payload after the rest, payload."""
        return b"".join(
            (self._key, _HEAD.pack(kind, offset, len(payload), _checksum(kind, offset, payload)), payload)
        )

    @property
    def buffered(self) -> int:
        """Number of bytes that may be the beginning of a frame."""
        return len(self._buffer)

    def reset(self) -> None:
        """Drop an unfinished frame, whose rest is lost."""
        self._buffer.clear()

    def unpack(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yield (kind, offset, payload) of each intact frame; other bytes are dropped.

        At most ``data`` and one frame are buffered, and the work is linear in ``data``.
        """
        buffer, size = self._buffer, len(self._key) + _HEAD.size
        buffer += data
        while True:
            start = buffer.find(self._key)
            if start < 0:
                # The key may be cut in two.
                del buffer[: max(0, len(buffer) - len(self._key) + 1)]
                return
            del buffer[:start]
            if len(buffer) < size:
                return
            kind, offset, length, checksum = _HEAD.unpack_from(buffer, len(self._key))
            if length > PIECE:
                # No frame is that long: its header was cut, and something else follows.
                del buffer[: len(self._key)]
                continue
            # Payloads never contain the key, so another key before the end means that this frame was cut.
            following = buffer.find(self._key, len(self._key), size + length)
            if following >= 0:
                del buffer[:following]
                continue
            if len(buffer) < size + length:
                return
            payload = bytes(buffer[size : size + length])
            if _checksum(kind, offset, payload) == checksum:
                del buffer[: size + length]
                yield kind, offset, payload
            else:
                del buffer[: len(self._key)]


def _checksum(kind: int, offset: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack(">BQI", kind, offset, len(payload))))
