"""Numbers as text, short enough for a table cell."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from agent.wire.quantity import Unit
from agent.wire.units import bit_rate, byte_size

_BLOCKS = " ▁▂▃▄▅▆▇"


def size(count: float | None) -> str:
    """Return bytes with a binary unit: ``812 B``, ``3.2 MiB``; a dash for None."""
    return "–" if count is None else byte_size(count)


def bits(bytes_per_second: float | None) -> str:
    """Return a network's rate: ``941 Mbit/s``, ``9.4 Gbit/s``; a dash for None."""
    return "–" if bytes_per_second is None else bit_rate(bytes_per_second)


def duration(seconds: float | None) -> str:
    """Return ``0:42``, ``3:05`` or ``2:10:00`` (``3d 02:10`` from a day on).

    It is a dash for None, NaN and infinity.
    """
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days}d {hours:02d}:{minutes:02d}"
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def local_time(at: float, form: str) -> str:
    """Return a moment (Unix seconds) as :func:`time.strftime` writes it; a dash for one of no calendar.

    Moments come from recordings, which a program can have written.
    """
    try:
        return time.strftime(form, time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "–"


def percent(value: float | None) -> str:
    """Return ``37%``; a dash for None."""
    return "–" if value is None else f"{value:.0f}%"


def quantity_text(value: float | None, unit: Unit) -> str:
    """Return a value of telemetry with its unit; a dash for None."""
    if value is None:
        return "–"
    if unit == "percent":
        return percent(value)
    if unit.startswith("bytes"):
        return size(value) + unit.removeprefix("bytes")
    return f"{value:.0f} {unit}".rstrip()


def energy(joules: float) -> str:
    """Return joules as ``12.3 Wh`` or ``1.24 kWh``."""
    hours = joules / 3600
    return f"{hours:.1f} Wh" if hours < 1000 else f"{hours / 1000:,.2f} kWh"


def money(amount: float, currency: str) -> str:
    """Return an amount with its currency, small change only where it counts."""
    return f"{amount:,.0f} {currency}".rstrip() if amount >= 100 else f"{amount:,.2f} {currency}".rstrip()


def number(value: float | None, digits: int = 4) -> str:
    """Return ``value`` in ``digits`` significant figures; a dash for None."""
    if value is None:
        return "–"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{max(0, digits - 2)}e}"
    return f"{value:.{digits}g}"


def sparkline(values: Sequence[float], width: int, top: float = 100.0) -> str:
    """Return the last ``width`` values as block characters, ``top`` being a full one; padded on the left."""
    shown = [value if math.isfinite(value) else 0.0 for value in values[-width:]]
    # Seven eighths at most, so that lines one below the other stay apart.
    cells = [_BLOCKS[max(1, min(7, round(value / top * 7)))] for value in shown]
    return "".join(cells).rjust(width)


def share_of(value: float, low: float, high: float) -> float:
    """Return where ``value`` lies from ``low`` (0) to ``high`` (1); 0 where that is no number."""
    # Halves, since the difference of two large numbers can be infinite.
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span else 0.0
    return max(0.0, min(1.0, share)) if math.isfinite(share) else 0.0


def bar(share: float, width: int) -> tuple[str, str]:
    """Return the filled and the empty part of a thin bar in ``width`` cells."""
    halves = round(max(0.0, min(1.0, share if math.isfinite(share) else 0.0)) * width * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return filled, "─" * (width - len(filled))
