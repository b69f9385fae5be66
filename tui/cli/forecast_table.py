"""A forecast as a table for a person, the guide's own numbers beside it, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from fleet.forecast import GUIDE, METHODS, Forecast, Link, Workload, forecast, ring_links, slowest
from fleet.forecast.model import LOCAL_RATE
from fleet.frozen import frozen
from tui.i18n import Texts


@frozen
class Measured:
    """The nodes in the order of their ranks, the GPUs of each, and the links between them."""

    nodes: Sequence[str]
    gpus: Mapping[str, int]
    links: Mapping[tuple[str, str], Link]
    backend: str
    #: Whether the links are a person's numbers.
    given: bool = False


def rows_of(workload: Workload, measured: Measured) -> list[list[Forecast]]:
    """Return a row of all methods for one GPU, and for the first 1, 2, ... N nodes with all their GPUs."""
    sizes = [(1, 1)]
    for count in range(1, len(measured.nodes) + 1):
        gpus = sum(measured.gpus[name] for name in measured.nodes[:count])
        if (gpus, count) not in sizes:
            sizes.append((gpus, count))
    return [
        [
            forecast(
                workload,
                method,
                gpus=gpus,
                nodes=nodes,
                ring=ring_links(measured.nodes[:nodes], measured.links),
                backend=measured.backend,
            )
            for method in METHODS
        ]
        for gpus, nodes in sizes
    ]


def render(workload: Workload, measured: Measured, rows: Sequence[Sequence[Forecast]], texts: Texts) -> str:
    """Return the table, the slowest link, and what the numbers rest on."""
    guide = {(gpus, nodes): speed_up for gpus, nodes, speed_up in GUIDE}
    head = f"{'GPUS':>4} {'NODES':>5}" + "".join(f" | {method.title:^34}" for method in METHODS) + " | GUIDE"
    under = " " * 10 + " | ".join(
        ["", *[f"{'s/step':>10} {'speed-up':>11} {'efficiency':>11}" for _ in METHODS]]
    )
    lines = [head, under]
    for row in rows:
        key = (row[0].gpus, row[0].nodes)
        cells = "".join(
            f" | {one.step_seconds:>10.3f} {one.speed_up:>10.2f}x {one.efficiency:>11.0%}" for one in row
        )
        told = f"{guide[key]:.1f}x" if key in guide else ""
        lines.append(f"{key[0]:>4} {key[1]:>5}{cells} | {told}".rstrip())
    expected = ", ".join(f"{gpus} GPUs/{nodes} {speed_up}x" for gpus, nodes, speed_up in GUIDE[1:])
    notes = [*_notes(workload, measured), f"the guide expects for GPUs/nodes: {expected}"]
    return "\n".join([*lines, "", *(texts.said(note) for note in notes)])


def _notes(workload: Workload, measured: Measured) -> list[str]:
    ring = ring_links(measured.nodes, measured.links)
    worst = slowest(ring)
    notes = [
        f"a step: {workload.compute_seconds:.3g} s computing, {workload.gradient_bytes / 1e6:.3g} MB of "
        f"gradients in fp32 ({workload.source})"
    ]
    if worst is not None:
        link = (
            f"{worst.source} -> {worst.target}, {worst.rate * 8 / 1e6:.0f} Mbit/s, {worst.rtt * 1000:.2f} ms"
        )
        notes.append(
            f"slowest link of the ring, as given: {link}"
            if measured.given
            else f"slowest link of the ring, measured: {link}"
        )
    if any(count > 1 for count in measured.gpus.values()):
        rate = LOCAL_RATE[measured.backend] / 1e9
        notes.append(f"assumed between GPUs of one node ({measured.backend}): {rate:g} GB/s")
    return notes


def as_json(rows: Sequence[Sequence[Forecast]]) -> str:
    """Return one JSON line a row and method."""
    return "\n".join(
        json.dumps(
            {
                "gpus": one.gpus,
                "nodes": one.nodes,
                "method": one.method.name,
                "step_seconds": round(one.step_seconds, 6),
                "communication_seconds": round(one.communication_seconds, 6),
                "efficiency": round(one.efficiency, 4),
                "speed_up": round(one.speed_up, 3),
            }
        )
        for row in rows
        for one in row
    )
