"""Small files of /proc and /sys; what can't be read is None."""

from __future__ import annotations

from typing import Optional


def read_text(path: str) -> Optional[str]:
    """Return the file's text, undecodable bytes replaced; None when it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return None


def read_number(path: str) -> Optional[int]:
    """Return the whole number that the file holds; None when it holds no number."""
    return whole(read_text(path))


def whole(text: Optional[str]) -> Optional[int]:
    """Return a decimal or 0x number as int; None for anything else."""
    if text is None:
        return None
    try:
        return int(text.strip(), 0)
    except ValueError:
        return None
