"""What console and agent agree on about project trees: blocks, digests, and lists on the wire.

The deploy's part of the protocol, shared by both sides. A tree's entry travels as
``[path, size, mtime_ns, executable]``: ``path`` is relative with ``/``, ``executable`` is 0 or 1, or
None when the console's system has no such bit.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Callable, Iterable, Iterator, List, Optional, Type

from agent.wire.decode import T, decode
from agent.wire.frames import parse_json
from agent.wire.message import message

#: Contents are read, compressed, sent and verified in blocks of this size.
BLOCK = 256 * 1024
#: Lists of files above this decompressed size are rejected: far more than a million files.
MAX_LIST = 512 * 1024 * 1024


class ListError(ValueError):
    """A received list is damaged; the argument is a message."""


def block_digest(block: bytes) -> str:
    """Return a block's BLAKE2b in hex (128 bits)."""
    return hashlib.blake2b(block, digest_size=16).hexdigest()


def file_digest(blocks: Iterable[str]) -> str:
    """Return a file's digest from those of its blocks: the block's own when there is just one.

    So each byte is hashed once, whether it is verified as a block or compared as a file.
    """
    digests = list(blocks)
    if len(digests) == 1:
        return digests[0]
    return block_digest("".join(digests).encode("ascii"))


def read_digests(
    read: Callable[[int], bytes], length: int, progress: Optional[Callable[[int], None]] = None
) -> List[str]:
    """Return the block digests of the next ``length`` bytes that ``read(size)`` gives.

    Raises EOFError when there are fewer. ``progress`` is called with the bytes of each block.
    """
    digests: List[str] = []
    left = length
    while left or not digests:
        size = min(BLOCK, left)
        block = read(size)
        if len(block) < size:
            raise EOFError(message("deploy.file-shortened", "the file has become shorter"))
        digests.append(block_digest(block))
        left -= size
        if progress is not None:
            progress(size)
    return digests


def pack(value: object) -> Iterator[bytes]:
    """Yield ``value`` as pieces of compressed JSON, each small enough for a payload."""
    blob = zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), 3)
    for start in range(0, len(blob), BLOCK):
        yield blob[start : start + BLOCK]


class Unpacker:
    """Puts the pieces of :func:`pack` together again."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._text = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raises ListError."""
        try:
            self._text += self._stream.decompress(piece, MAX_LIST - len(self._text) + 1)
        except zlib.error as error:
            damaged = message("list.damaged", "a list of files arrived damaged: {error}", error=str(error))
            raise ListError(damaged) from None
        if len(self._text) > MAX_LIST:
            raise ListError(message("list.too-long", "a list of files is too long"))

    def value(self, kind: Type[T]) -> T:
        """Return the value as a ``kind``, once every piece is here; raises ListError."""
        if not self._stream.eof:
            raise ListError(message("list.incomplete", "a list of files arrived incomplete"))
        try:
            return decode(kind, parse_json(self._text))
        except ValueError as error:
            invalid = message("list.invalid", "a list of files is not valid: {error}", error=str(error))
            raise ListError(invalid) from None
