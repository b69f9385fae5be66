"""The contents of files in pieces for the wire: read and compressed once for all nodes that need them.

A large file is cut at multiples of BLOCK, small ones are packed together; how depends on the files
alone, so that nodes which lack the same files ask for the same pieces.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from agent.tree.format import BLOCK, block_digest
from fleet.deploy.scan import Scan, SourceFile
from transports.regular_files import open_file

#: Keeps a piece's header (some 50 bytes a segment) far below the frame's limit.
_MOST_SEGMENTS = 512
#: Compressing pays when it saves at least a tenth; the first bytes predict whether it would.
_WORTH = 0.9
_SAMPLE = 16 * 1024


class SourceChanged(Exception):
    """A file changed on the master after it was listed."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Segment(NamedTuple):
    """A part of a file, BLOCK bytes or its rest; ``last`` when the file ends with it."""

    file: SourceFile
    offset: int
    length: int
    last: bool


Chunk = tuple[Segment, ...]


class Piece(Struct, frozen=True):
    """A chunk as it travels: ``digests`` are those of its segments."""

    payload: bytes
    compressed: bool
    digests: tuple[str, ...]


def layout(files: Iterable[tuple[SourceFile, int]]) -> Iterator[Chunk]:
    """Cut files, each from its given offset (a multiple of BLOCK) on, into chunks of at most BLOCK bytes."""
    pack: list[Segment] = []
    room = BLOCK
    for file, start in files:
        if file.size > BLOCK // 2:
            for offset in range(start, file.size, BLOCK):
                length = min(BLOCK, file.size - offset)
                yield (Segment(file, offset, length, offset + length == file.size),)
            continue
        if file.size > room or len(pack) == _MOST_SEGMENTS:
            yield tuple(pack)
            pack, room = [], BLOCK
        pack.append(Segment(file, 0, file.size, True))
        room -= file.size
    if pack:
        yield tuple(pack)


class ChunkSource:
    """Makes pieces of the files of one scan, keeping up to ``capacity`` bytes of the latest."""

    def __init__(self, scan: Scan, capacity: int) -> None:
        self.scan = scan
        self._capacity = capacity
        self._size = 0
        self._kept: OrderedDict[Chunk, Piece] = OrderedDict()
        self._running: dict[Chunk, asyncio.Task[Piece]] = {}

    async def get(self, chunk: Chunk) -> Piece:
        """Return a chunk's piece; raises SourceChanged and OSError."""
        piece = self._kept.get(chunk)
        if piece is not None:
            self._kept.move_to_end(chunk)
            return piece
        running = self._running.get(chunk)
        if running is None:
            running = asyncio.create_task(asyncio.to_thread(make_piece, self.scan.root, chunk))
            self._running[chunk] = running
            running.add_done_callback(lambda task: self._keep(chunk, task))
        return await asyncio.shield(running)

    def _keep(self, chunk: Chunk, task: asyncio.Task[Piece]) -> None:
        del self._running[chunk]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[chunk] = task.result()
        self._size += len(task.result().payload)
        while self._size > self._capacity:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.payload)


def make_piece(root: Path, chunk: Chunk) -> Piece:
    """Read and compress a chunk. Blocks; raises SourceChanged and OSError."""
    parts = [_read(root, segment) for segment in chunk]
    digests = tuple(block_digest(part) for part in parts)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(zlib.compress(data[:_SAMPLE], 1)) < _WORTH * len(data[:_SAMPLE]):
        compressed = zlib.compress(data, 1)
        if len(compressed) < _WORTH * len(data):
            return Piece(compressed, True, digests)
    return Piece(data, False, digests)


def _read(root: Path, segment: Segment) -> bytes:
    file = segment.file
    try:
        with open_file(root / file.path) as stream:
            stream.seek(segment.offset)
            data = stream.read(segment.length)
            if segment.last:
                status = os.fstat(stream.fileno())
                if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
                    raise SourceChanged(file.path)
    except FileNotFoundError:
        raise SourceChanged(file.path) from None
    if len(data) != segment.length:
        raise SourceChanged(file.path)
    return data
