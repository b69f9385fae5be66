"""A block of a history: some hundred samples, column by column, each value as its change, compressed.

On disk: ``DTB1``, length and CRC-32 of what follows, then zlib of one line of JSON (names, steps, count,
bytes of each column) and the columns. A block needs no other to be read, so a file may be cut or torn
anywhere between two, and a reader of a few columns skips the others.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

from agent.deltas import DeltaError, put_change, take_change
from fleet.telemetry.series import Row, step_of

_MAGIC = b"DTB1"
_HEAD = struct.Struct(">4sII")
_TIME_STEP = 0.001
#: Far larger than any block; a damaged length must not cause a read of the whole disk.
_LARGEST = 1 << 24
_LARGEST_BODY = 1 << 26
_MOST_SAMPLES = 100_000

Sampled = tuple[float, Row]


def pack_block(samples: Sequence[Sampled]) -> bytes:
    """Return the block of ``samples``, (Unix seconds, numbers) each."""
    names = sorted({name for _, row in samples for name in row})
    steps = [step_of(name) for name in names]
    times = _pack_column([at for at, _ in samples], _TIME_STEP)
    columns = [
        _pack_column([row.get(name) for _, row in samples], step)
        for name, step in zip(names, steps, strict=True)
    ]
    sizes = [len(column) for column in columns]
    head = {"names": names, "steps": steps, "count": len(samples), "sizes": sizes}
    line = json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n"
    packed = zlib.compress(b"".join([line, times, *columns]), 6)
    return _HEAD.pack(_MAGIC, len(packed), zlib.crc32(packed)) + packed


def read_blocks(data: bytes, wanted: Callable[[str], bool] | None = None) -> Iterator[list[Sampled]]:
    """Yield the samples of each whole block; torn or damaged ones are skipped.

    With ``wanted`` only the columns whose names it accepts.
    """
    at = 0
    while (at := data.find(_MAGIC, at)) >= 0:
        if at + _HEAD.size > len(data):
            return
        _, length, checksum = _HEAD.unpack_from(data, at)
        packed = data[at + _HEAD.size : at + _HEAD.size + length]
        if length > _LARGEST or len(packed) < length or zlib.crc32(packed) != checksum:
            at += 1  # not the start of a block: continue the search after it
            continue
        at += _HEAD.size + length
        try:
            samples = _unpack(_decompressed(packed), wanted)
        except (zlib.error, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        yield samples


def _decompressed(packed: bytes) -> bytes:
    """Return the block's body; raises DeltaError for one that is far too large."""
    stream = zlib.decompressobj()
    body = stream.decompress(packed, _LARGEST_BODY)
    if stream.unconsumed_tail:
        raise DeltaError(f"a block is larger than {_LARGEST_BODY} bytes")
    return body


def _unpack(body: bytes, wanted: Callable[[str], bool] | None) -> list[Sampled]:
    line, _, columns = body.partition(b"\n")
    head = json.loads(line)
    count, at = int(head["count"]), 0
    if not 0 <= count <= _MOST_SAMPLES:
        raise DeltaError(f"a block of {count} samples")
    times, at = _take_column(columns, at, count, _TIME_STEP)
    rows: list[Row] = [{} for _ in range(count)]
    names = head["names"]
    # Blocks of earlier versions do not have the sizes: in these each column has to be read to find the next.
    for name, step, size in zip(names, head["steps"], head.get("sizes") or [None] * len(names), strict=True):
        skipped = wanted is not None and not wanted(name)
        if skipped and size is not None:
            at += size
            continue
        values, at = _take_column(columns, at, count, step)
        if skipped:
            continue
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    if at != len(columns):
        raise DeltaError("a block is longer than its columns")
    return [(when or 0.0, row) for when, row in zip(times, rows, strict=True)]


def _pack_column(values: Sequence[float | None], step: float) -> bytes:
    body = bytearray()
    last: int | None = None
    for value in values:
        now = None if value is None else round(value / step)
        put_change(body, last, now)
        last = now
    return bytes(body)


def _take_column(data: bytes, at: int, count: int, step: float) -> tuple[list[float | None], int]:
    values: list[float | None] = []
    last: int | None = None
    for _ in range(count):
        last, at = take_change(data, at, last)
        values.append(None if last is None else round(last * step, 6))
    return values, at
