"""Byte sizes, durations, rates and counts as text. Everything that dtui prints formats them here."""

from __future__ import annotations

import math
from typing import Callable, Dict

#: In place of a number that nobody can read: other machines and programs send NaN and infinity, too.
NO_NUMBER = "–"
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def byte_size(count: float) -> str:
    """Return a number of bytes with a binary unit: ``812 B``, ``3.2 MiB``."""
    for unit in _BINARY:
        if abs(count) < 1000 or unit == _BINARY[-1]:
            break
        count /= 1024
    return "%.0f %s" % (count, unit) if unit == "B" or abs(count) >= 100 else "%.1f %s" % (count, unit)


def byte_rate(per_second: float) -> str:
    """Return a rate in bytes per second: ``3.2 MiB/s``."""
    return byte_size(per_second) + "/s"


def bit_rate(bytes_per_second: float) -> str:
    """Return a network's rate, given in bytes per second: ``941 Mbit/s``, ``9.4 Gbit/s``."""
    rate = bytes_per_second * 8 / 1e6
    if rate >= 1000:
        return "%.1f Gbit/s" % (rate / 1000)
    return "%.0f Mbit/s" % rate if rate >= 10 else "%.1f Mbit/s" % rate


def duration(seconds: float) -> str:
    """Return a duration: ``0.4 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``, ``3 d 2 h``.

    It is a dash for NaN and infinity.
    """
    if not math.isfinite(seconds):
        return NO_NUMBER
    if 0 < seconds < 9.95 and seconds != round(seconds):
        return "%.1f s" % seconds
    whole = max(0, round(seconds))
    if whole < 60:
        return "%d s" % whole
    if whole < 3600:
        return "%d min %02d s" % divmod(whole, 60)
    if whole < 86400:
        return "%d h %02d min" % (whole // 3600, whole % 3600 // 60)
    return "%d d %d h" % (whole // 86400, whole % 86400 // 3600)


def counted(count: float, noun: str) -> str:
    """Return a number with its noun: ``1 node``, ``3 nodes``.

    ``noun`` is the singular; a plural that is not made with ``s`` follows behind a slash: ``entry/entries``.
    """
    one, _, many = noun.partition("/")
    return "%s %s" % (count, one if count == 1 else many or one + "s")


#: The names by which message templates refer to the functions above: ``{size:bytes}``.
FORMATS: Dict[str, Callable[[float], str]] = {
    "bytes": byte_size,
    "byte-rate": byte_rate,
    "bit-rate": bit_rate,
    "duration": duration,
}
