"""Bytes as a person reads them."""

from __future__ import annotations

GB = 10**9


def size(count: float) -> str:
    """Return a number of bytes with a decimal unit: ``3.2 GB``."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
