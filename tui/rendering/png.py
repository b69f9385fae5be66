"""Reads PNG pictures into pixels, for a preview in the terminal; the standard library is enough for that."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from agent.wire.message import Message, message

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Colour type -> bytes a pixel at 8 bits a channel.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: Larger pictures are not floor plans, and would take long.
_MOST_PIXELS = 4096 * 4096

Colour = tuple[int, int, int]

#: Bytes of a file; a node sends at most 16 MiB.
LARGEST = 16 << 20


class PictureError(ValueError):
    """The data can't be read as a picture, for the reason ``what``."""

    def __init__(self, what: Message) -> None:
        super().__init__(what)
        self.what = what


class Picture(Struct, frozen=True):
    """Rows of (red, green, blue), each 0 to 255; transparency is left out."""

    width: int
    height: int
    rows: tuple[tuple[Colour, ...], ...]


def read_png(data: bytes) -> Picture:
    """Return the picture of 8-bit PNG data that is not interlaced; raises PictureError."""
    if not data.startswith(_SIGNATURE):
        raise PictureError(message("picture.not-png", "not a PNG file"))
    try:
        chunks = list(_chunks(data))
        width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
        if depth != 8 or interlaced or kind not in _CHANNELS or width * height > _MOST_PIXELS:
            raise PictureError(
                message(
                    "picture.unsupported",
                    "a PNG of {bits} bits, colour type {kind} and {width}x{height} pixels is not supported",
                    bits=depth,
                    kind=kind,
                    width=width,
                    height=height,
                )
            )
        packed = b"".join(body for name, body in chunks if name == b"IDAT")
        size = (width * _CHANNELS[kind] + 1) * height
        raw = zlib.decompressobj().decompress(packed, size)
        if len(raw) < size:
            raise PictureError(message("picture.incomplete", "the PNG file is incomplete"))
        palette = dict(chunks).get(b"PLTE", b"")
        rows = tuple(_colours(line, kind, palette) for line in _unfiltered(raw, height, _CHANNELS[kind]))
    except (struct.error, zlib.error, KeyError, IndexError) as error:
        damaged = message("picture.damaged", "the PNG file is damaged: {error}", error=str(error))
        raise PictureError(damaged) from None
    return Picture(width, height, rows)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += length + 12


def _unfiltered(raw: bytes, height: int, step: int) -> Iterator[bytes]:
    """Yield the rows' bytes; each was stored as its difference to neighbours ``step`` bytes away."""
    length = len(raw) // height
    above = bytearray(length - 1)
    for start in range(0, length * height, length):
        line = bytearray(raw[start + 1 : start + length])
        _undo(raw[start], line, above, step)
        yield bytes(line)
        above = line


def _undo(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    if kind > 4:
        raise PictureError(
            message("picture.filter", "the PNG file is damaged: unknown filter {kind}", kind=kind)
        )
    if kind == 0:
        return
    for at, value in enumerate(line):
        left = line[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        line[at] = (value + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    expected = left + up - corner
    return min((left, up, corner), key=lambda value: abs(expected - value))


def _colours(line: bytes, kind: int, palette: bytes) -> tuple[Colour, ...]:
    if kind == 3:
        return tuple((palette[3 * one], palette[3 * one + 1], palette[3 * one + 2]) for one in line)
    step = _CHANNELS[kind]
    if step < 3:
        return tuple((grey, grey, grey) for grey in line[::step])
    return tuple(zip(line[::step], line[1::step], line[2::step], strict=True))
