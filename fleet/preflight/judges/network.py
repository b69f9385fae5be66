"""How far and how wide the ways between nodes are."""

from __future__ import annotations

from typing import Any

from fleet.preflight.check import Subject, Verdict, ok, skip, warn

_FAR_MS = 2.0
_SLOW = 0.9e9 / 8


def latency(subject: Subject) -> Verdict:
    """Judge round trips to every other node, through the training interpreter."""
    measured = _measured(subject, "rtt")
    if not measured:
        return skip("no way to another node was measured")
    worst = max(measured, key=lambda name: measured[name])
    seen = f"{measured[worst]:.2f} ms to {worst}, the farthest of {len(measured)}"
    if measured[worst] > _FAR_MS:
        return warn(f"{seen}: far for a ring of small messages", "see dtui forecast; is there a VPN between?")
    return ok(seen)


def bandwidth(subject: Subject) -> Verdict:
    """Judge the rate to every other node."""
    measured = _measured(subject, "rate")
    if not measured:
        return skip("no way to another node was measured")
    worst = min(measured, key=lambda name: measured[name])
    seen = f"{rate_text(measured[worst])} to {worst}, the slowest of {len(measured)}"
    if measured[worst] < _SLOW:
        return warn(
            f"{seen}: gradients will take longer than computing",
            "see dtui forecast; use a faster network, fp16 gradients or low-communication training",
        )
    return ok(seen)


def rate_text(rate: float) -> str:
    """Return bytes a second as network people write it: ``940 Mbit/s``."""
    bits = rate * 8
    return f"{bits / 1e9:.1f} Gbit/s" if bits >= 1e9 else f"{bits / 1e6:.0f} Mbit/s"


def _measured(subject: Subject, key: str) -> dict[str, Any]:
    return {peer: way[key] for peer, way in subject["links"].items() if way.get(key) is not None}
