"""A block of a history: some hundred samples, column by column, each value as its change, compressed.

On disk: ``DTB1``, length and CRC-32 of what follows, then zlib of one line of JSON (names, steps, count)
and the columns. A block needs no other to be read, so a file may be cut or torn anywhere between two.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence

from agent.deltas import DeltaError, put_change, take_change
from fleet.telemetry.series import Row, step_of

_MAGIC = b"DTB1"
_HEAD = struct.Struct(">4sII")
_TIME_STEP = 0.001
#: No block of ours comes near; a damaged length must not make us read a whole disk.
_LARGEST = 1 << 24

Sampled = tuple[float, Row]


def pack_block(samples: Sequence[Sampled]) -> bytes:
    """Return the block of ``samples``, (Unix seconds, numbers) each."""
    names = sorted({name for _, row in samples for name in row})
    body = bytearray()
    head = {"names": names, "steps": [step_of(name) for name in names], "count": len(samples)}
    body += json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n"
    _pack_column(body, [at for at, _ in samples], _TIME_STEP)
    for name, step in zip(names, head["steps"], strict=True):  # type: ignore[call-overload]
        _pack_column(body, [row.get(name) for _, row in samples], step)
    packed = zlib.compress(bytes(body), 6)
    return _HEAD.pack(_MAGIC, len(packed), zlib.crc32(packed)) + packed


def read_blocks(data: bytes) -> Iterator[list[Sampled]]:
    """Yield the samples of each whole block; what is torn or damaged is passed over."""
    at = 0
    while (at := data.find(_MAGIC, at)) >= 0:
        if at + _HEAD.size > len(data):
            return
        _, length, checksum = _HEAD.unpack_from(data, at)
        packed = data[at + _HEAD.size : at + _HEAD.size + length]
        if length > _LARGEST or len(packed) < length or zlib.crc32(packed) != checksum:
            at += 1  # not the beginning of a block after all: look on behind it
            continue
        at += _HEAD.size + length
        yield _unpack(zlib.decompress(packed))


def _unpack(body: bytes) -> list[Sampled]:
    line, _, columns = body.partition(b"\n")
    head = json.loads(line)
    count, at = int(head["count"]), 0
    times, at = _take_column(columns, at, count, _TIME_STEP)
    rows: list[Row] = [{} for _ in range(count)]
    for name, step in zip(head["names"], head["steps"], strict=True):
        values, at = _take_column(columns, at, count, step)
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    if at != len(columns):
        raise DeltaError("a block is longer than its columns")
    return [(when or 0.0, row) for when, row in zip(times, rows, strict=True)]


def _pack_column(body: bytearray, values: Sequence[float | None], step: float) -> None:
    last: int | None = None
    for value in values:
        now = None if value is None else round(value / step)
        put_change(body, last, now)
        last = now


def _take_column(data: bytes, at: int, count: int, step: float) -> tuple[list[float | None], int]:
    values: list[float | None] = []
    last: int | None = None
    for _ in range(count):
        last, at = take_change(data, at, last)
        values.append(None if last is None else round(last * step, 6))
    return values, at
