"""Latency and bandwidth of the routes between nodes."""

from __future__ import annotations

from typing import Final, Literal

from agent.wire.message import message
from fleet.preflight.check import Check, Subject, Verdict, ok, skip, warn
from fleet.preflight.observations import LINKS

_HIGH_LATENCY_MS = 2.0
_LOW_BANDWIDTH = 0.9e9 / 8
_NOT_MEASURED = skip(message("preflight.network-not-measured", "no connection to another node was measured"))


def latency(subject: Subject) -> Verdict:
    """Evaluate the round trips to all other nodes, made by the training interpreter."""
    measured = _measured(subject, "rtt")
    if not measured:
        return _NOT_MEASURED
    worst = max(measured, key=lambda name: measured[name])
    seen = message(
        "preflight.latency",
        "{ms:.2f} ms to {node}, the highest latency of {count:n connection}",
        ms=measured[worst],
        node=worst,
        count=len(measured),
    )
    if measured[worst] > _HIGH_LATENCY_MS:
        return warn(
            message("preflight.latency-high", "{latency}: high for a ring of small messages", latency=seen),
            message(
                "preflight.latency-high.remedy", "run dtui forecast, and check for a VPN between the nodes"
            ),
        )
    return ok(seen)


def bandwidth(subject: Subject) -> Verdict:
    """Evaluate the rates to all other nodes."""
    measured = _measured(subject, "rate")
    if not measured:
        return _NOT_MEASURED
    worst = min(measured, key=lambda name: measured[name])
    seen = message(
        "preflight.bandwidth",
        "{rate:bit-rate} to {node}, the slowest of {count:n connection}",
        rate=measured[worst],
        node=worst,
        count=len(measured),
    )
    if measured[worst] < _LOW_BANDWIDTH:
        return warn(
            message(
                "preflight.bandwidth-low",
                "{bandwidth}: sending gradients takes longer than computing them",
                bandwidth=seen,
            ),
            message(
                "preflight.bandwidth-low.remedy",
                "run dtui forecast; use a faster network, fp16 gradients or low-communication training",
            ),
        )
    return ok(seen)


def _measured(subject: Subject, key: Literal["rtt", "rate"]) -> dict[str, float]:
    return {peer: value for peer, link in subject[LINKS].items() if (value := link[key]) is not None}


CHECKS: Final = (
    Check("latency", message("check.latency", "latency"), "network",
          message("check.latency.why", "an all-reduce is a sequence of small messages"),
          (LINKS,), latency, "pair"),
    Check("bandwidth", message("check.bandwidth", "bandwidth"), "network",
          message("check.bandwidth.why", "the gradients of every step go over the slowest connection"),
          (LINKS,), bandwidth, "pair"),
)  # fmt: skip
