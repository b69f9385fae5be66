"""Sizes in bytes as a file writes them: a whole number with a binary unit, such as ``512MiB``."""

from __future__ import annotations

import re

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"([1-9][0-9]{0,9}) ?(KiB|MiB|GiB|TiB)")


def parse_size(text: str) -> int | None:
    """Return the bytes, None for anything else; a decimal unit would be ambiguous."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def size_text(size: int) -> str:
    """Return a multiple of 1 KiB with the largest unit that needs no fraction, as ``parse_size`` reads it."""
    unit = next((unit for unit, factor in reversed(_UNITS.items()) if size % factor == 0), "KiB")
    return f"{size // _UNITS[unit]}{unit}"
