"""Encodes palette PNGs whose bytes depend on the image alone.

The output of a compressor changes with its version. Synthetic data must be identical on every node, so pixels
are stored uncompressed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence


def encode_palette_png(rows: Sequence[bytes], palette: Sequence[tuple[int, int, int]]) -> bytes:
    """Return an 8-bit palette PNG; each row holds one palette index per byte."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    colours = b"".join(bytes(colour) for colour in palette)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours),
            _chunk(b"IDAT", _zlib_stored(b"".join(b"\0" + row for row in rows))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _zlib_stored(data: bytes) -> bytes:
    """Return a zlib stream of stored blocks (RFC 1951, 3.2.4)."""
    pieces = [data[start : start + 65535] for start in range(0, len(data), 65535)]
    blocks = [
        struct.pack("<BHH", index == len(pieces) - 1, len(piece), len(piece) ^ 0xFFFF) + piece
        for index, piece in enumerate(pieces)
    ]
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(data))
