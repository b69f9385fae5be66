"""Bytes of a rank's output that no chunk has: how a reader finds them, and what it shows in their place."""

from __future__ import annotations


def missing_before(offset: int, data: bytes, end: int | None) -> int:
    """Return how many bytes are missing before the chunk ``data`` at ``offset``.

    ``end`` is where the chunk before it ended, None for the first one: reading may start anywhere, but an
    empty first chunk reports that everything before it is missing.
    """
    if end is None:
        return 0 if data else offset
    return max(0, offset - end)


def gap_line(size: int) -> bytes:
    """Return the line that takes the place of ``size`` bytes."""
    return b"[dtui: %d bytes not recorded]" % size
