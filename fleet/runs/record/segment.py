"""One segment of recorded output: a gzip file that any gzip reader can decompress.

Decompressed it is a first line with the format and the run, then entries: a line of JSON (see Entry) and
``size`` bytes. The compressor is flushed at intervals, so a segment that was not closed is readable up to
its last flush.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import msgspec
from msgspec import Meta, Struct

from agent.wire.message import Message, message
from fleet.private_files import open_private
from fleet.runs.record.limits import ENTRY_BYTES, SEGMENT_BYTES

FORMAT = 1
#: Level 6 compresses a sixth better and takes twice the time; recording shares a thread with the console.
_LEVEL = 1
_GZIP = 31
_PIECE = 1 << 16
#: The longest line of JSON before an entry's bytes.
_HEADER_BYTES = 1 << 12

Natural = Annotated[int, Meta(ge=0, le=(1 << 62))]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What precedes the bytes of an entry.

    ``position`` is the size of ``events.jsonl`` when the entry was written. Of a ``log`` entry the bytes
    are the rank's output at ``offset``; of an ``event`` entry they are the event's JSON.
    """

    position: Natural
    size: Annotated[int, Meta(ge=0, le=ENTRY_BYTES)]
    kind: Literal["log", "event"] = "log"
    node: Annotated[str, Meta(max_length=256)] = ""
    at: float = 0.0
    rank: Annotated[int, Meta(ge=0, le=(1 << 24))] = 0
    offset: Natural = 0


class _First(Struct, kw_only=True):
    dtui: Literal["output"]
    format: int
    run: Annotated[str, Meta(max_length=256)] = ""


class SegmentDamaged(Exception):
    """The rest of a segment cannot be read, for ``reason``."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


class SegmentWriter:
    """Writes a new segment; every method but ``close`` raises OSError."""

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        #: Bytes given to the compressor, and bytes in the file.
        self.raw = 0
        self.size = 0
        #: Whether anything waits in memory.
        self.waiting = False
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._file: BinaryIO = open_private(path, "xb", buffering=0)
        self._feed(msgspec.json.encode({"dtui": "output", "format": FORMAT, "run": run}) + b"\n")

    def add(self, entry: Entry, data: bytes) -> None:
        """Append an entry whose ``size`` is that of ``data``."""
        self._feed(msgspec.json.encode(entry) + b"\n" + data)

    def flush(self) -> None:
        """Write all pending entries so that they can be read."""
        if self.waiting:
            self._write(self._compressor.flush(zlib.Z_SYNC_FLUSH))
            self.waiting = False

    def finish(self) -> None:
        """Write the end of the segment."""
        self._write(self._compressor.flush(zlib.Z_FINISH))
        self.waiting = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _feed(self, data: bytes) -> None:
        self.raw += len(data)
        self.waiting = True
        self._write(self._compressor.compress(data))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            self.size += written
            rest = rest[written:]


def read_segment(path: Path) -> Iterator[tuple[Entry, bytes]]:
    """Yield the entries of a segment; an unfinished end is left out.

    Raises SegmentDamaged after the entries before the damage, and OSError. Uses a few MiB of memory,
    whatever the file contains.
    """
    with open_private(path, "rb") as file:
        yield from parse(_decompressed(file))


def parse(pieces: Iterator[bytes]) -> Iterator[tuple[Entry, bytes]]:
    """Yield the entries of decompressed ``pieces``; raises SegmentDamaged."""
    held = bytearray()
    entry: Entry | None = None
    first = True
    for piece in pieces:
        held += piece
        begin = 0
        while True:
            if entry is not None:
                if len(held) - begin < entry.size:
                    break
                yield entry, bytes(held[begin : begin + entry.size])
                begin += entry.size
                entry = None
                continue
            end = held.find(b"\n", begin, begin + _HEADER_BYTES)
            if end < 0:
                if len(held) - begin >= _HEADER_BYTES:
                    raise SegmentDamaged(message("record.no-header", "an entry has no header"))
                break
            line = held[begin:end]
            begin = end + 1
            if first:
                first = False
                _check_first(line)
            else:
                entry = _entry(line)
        del held[:begin]


def _check_first(line: bytearray) -> None:
    try:
        found = msgspec.json.decode(line, type=_First)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise SegmentDamaged(message("record.no-segment", "it does not start like recorded output")) from None
    if found.format > FORMAT:
        raise SegmentDamaged(
            message(
                "record.newer-segment",
                "it has format {format}, which a newer dtui wrote",
                format=found.format,
            )
        )


def _entry(line: bytearray) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise SegmentDamaged(message("record.invalid-header", "an entry has no valid header")) from None


def _decompressed(file: BinaryIO) -> Iterator[bytes]:
    machine = zlib.decompressobj(_GZIP)
    total = 0
    try:
        # A segment of full size that does not compress is a little larger than its content.
        for _ in range(2 * SEGMENT_BYTES // _PIECE):
            data = file.read(_PIECE)
            if not data:
                return
            while data:
                piece = machine.decompress(data, _PIECE)
                total += len(piece)
                if total > SEGMENT_BYTES:
                    raise SegmentDamaged(too_large(SEGMENT_BYTES))
                if piece:
                    yield piece
                data = machine.unconsumed_tail
            if machine.unused_data:
                raise SegmentDamaged(message("record.after-end", "data follows its end"))
    except zlib.error:
        raise SegmentDamaged(message("record.compression", "it cannot be decompressed")) from None
    raise SegmentDamaged(too_large(SEGMENT_BYTES))


def too_large(limit: int) -> Message:
    """Return that a file of the record is larger than its ``limit`` in bytes."""
    return message("record.too-large", "it is larger than {size:bytes}", size=limit)
