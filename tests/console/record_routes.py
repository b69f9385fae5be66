"""The routes between the recorded nodes, as a preflight tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleet.events import Event, PairProbed

PORTS = ("29500", "29501", "29502", "29503", "29504", "ephemeral")


def routes(
    nodes: Sequence[str],
    at: float,
    closed: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    rates: Mapping[str, float] | None = None,
) -> Iterator[Event]:
    """Every node reaches every other but where ``closed`` says otherwise; ``rates`` are MB/s by node."""
    for source in nodes:
        for target in nodes:
            if source != target:
                outcomes = dict.fromkeys(PORTS, "open") | dict((closed or {}).get((source, target), {}))
                yield PairProbed(node=source, at=at, peer=target, ports=outcomes)
    for source in nodes if rates else ():
        for target in nodes:
            if source != target:
                rate = min(rates[source], rates[target]) * 1e6  # type: ignore[index]
                yield PairProbed(node=source, at=at, peer=target, latency_ms=0.31, bytes_per_second=rate)
