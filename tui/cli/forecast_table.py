"""A forecast as a table with the numbers that the guide expects, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.cells import cell_len

from agent.wire.message import Message, message
from fleet.forecast import GUIDE, METHODS, Forecast, Link, Workload, forecast, ring_links, slowest
from fleet.forecast.model import LOCAL_RATE
from tui.cli.columns import aligned, headings, padded, widest
from tui.i18n import Texts

_COLUMNS = (
    message("forecast-table.guide", "guide"),
    message("forecast-table.gpus", "GPUs"),
    message("forecast-table.nodes", "nodes"),
)
#: The columns of each method.
_FIGURES = (
    message("forecast-table.step", "s/step"),
    message("forecast-table.speed-up", "speed-up"),
    message("forecast-table.efficiency", "efficiency"),
)


class Measured(Struct, frozen=True):
    """The nodes in the order of their ranks, the GPUs of each, and the links between them."""

    nodes: Sequence[str]
    gpus: Mapping[str, int]
    links: Mapping[tuple[str, str], Link]
    backend: str
    #: Whether the user gave the rates of the links, instead of a measurement.
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
    """Return the table, the slowest link, and the assumptions."""
    expected = {(gpus, nodes): f"{speed_up:.1f}x" for gpus, nodes, speed_up in GUIDE}
    sizes = [(row[0].gpus, row[0].nodes) for row in rows]
    guide, *size_titles = headings(texts, *_COLUMNS)
    figures = tuple(texts.translate(title) for title in _FIGURES)
    blocks = [
        _block("", [size_titles, *((str(gpus), str(nodes)) for gpus, nodes in sizes)]),
        *(
            _block(texts.translate(method.title), [figures, *(_figures(row[number]) for row in rows)])
            for number, method in enumerate(METHODS)
        ),
        _block("", [(guide,), *((expected.get(size, ""),) for size in sizes)]),
    ]
    lines = [" | ".join(line).rstrip(" |") for line in zip(*blocks, strict=True)]
    return "\n".join([*lines, "", *(texts.sentence(note) for note in _notes(workload, measured))])


def _figures(one: Forecast) -> tuple[str, ...]:
    return f"{one.step_seconds:.3f}", f"{one.speed_up:.2f}x", f"{one.efficiency:.0%}"


def _block(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows whose columns end at the right, below a title, all lines of the same width."""
    lines = aligned(rows, right=range(len(rows[0])))
    width = widest([title, *lines])
    centred = " " * ((width - cell_len(title)) // 2) + title
    return [padded(centred, width), *(padded(line, width) for line in lines)]


def _notes(workload: Workload, measured: Measured) -> list[Message]:
    notes = [
        message(
            "forecast-table.per-step",
            "per step: {seconds:.3g} s of computation, {size:bytes} of gradients in fp32 ({source})",
            seconds=workload.compute_seconds,
            size=workload.gradient_bytes,
            source=workload.source,
        )
    ]
    worst = slowest(ring_links(measured.nodes, measured.links))
    if worst is not None:
        notes.append(_slowest_link(worst, given=measured.given))
    if any(count > 1 for count in measured.gpus.values()):
        notes.append(
            message(
                "forecast-table.local-rate",
                "assumed between GPUs of one node ({backend}): {rate:byte-rate}",
                backend=measured.backend,
                rate=LOCAL_RATE[measured.backend],
            )
        )
    expected = [f"{gpus}/{nodes} {speed_up}x" for gpus, nodes, speed_up in GUIDE[1:]]
    notes.append(
        message(
            "forecast-table.expected",
            "speed-up that the guide expects per GPUs/nodes: {expected}",
            expected=expected,
        )
    )
    return notes


def _slowest_link(link: Link, *, given: bool) -> Message:
    if given:
        return message(
            "forecast-table.slowest-given",
            "slowest link of the ring, as given: {source} -> {target}, {rate:bit-rate}, {latency:.2f} ms",
            source=link.source,
            target=link.target,
            rate=link.rate,
            latency=link.rtt * 1000,
        )
    return message(
        "forecast-table.slowest-measured",
        "slowest link of the ring, measured: {source} -> {target}, {rate:bit-rate}, {latency:.2f} ms",
        source=link.source,
        target=link.target,
        rate=link.rate,
        latency=link.rtt * 1000,
    )


def as_json(rows: Sequence[Sequence[Forecast]]) -> str:
    """Return one JSON line per row and method."""
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
