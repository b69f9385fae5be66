"""Units in Korean where they differ from those of agent.wire.units: durations."""

from __future__ import annotations

import math

from agent.wire.units import FORMATS, NO_NUMBER


def korean_duration(seconds: float) -> str:
    """Return a duration: ``0.4초``, ``42초``, ``3분 05초``, ``2시간 10분``, ``3일 2시간``.

    It is a dash for NaN and infinity.
    """
    if not math.isfinite(seconds):
        return NO_NUMBER
    if 0 < seconds < 9.95 and seconds != round(seconds):
        return f"{seconds:.1f}초"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}초"
    if whole < 3600:
        return f"{whole // 60}분 {whole % 60:02d}초"
    if whole < 86400:
        return f"{whole // 3600}시간 {whole % 3600 // 60:02d}분"
    return f"{whole // 86400}일 {whole % 86400 // 3600}시간"


KOREAN_FORMATS = {**FORMATS, "duration": korean_duration}
