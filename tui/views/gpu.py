"""The load of every GPU of the fleet."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from agent.wire.gpu import GPU_QUANTITIES
from agent.wire.message import EMPTY, Message, message
from agent.wire.quantity import Quantity
from fleet.state import FleetState, NodeState
from tui.i18n import Texts
from tui.rendering.spans import Span, Spans, fit, fit_spans
from tui.rendering.units import bar, percent, quantity_text, size, sparkline
from tui.views import facts
from tui.views.load import indicators

if TYPE_CHECKING:
    from fleet.telemetry import LoadSummary

#: Cells of the column of a quantity.
_QUANTITY = 12
#: Samples older than this are no longer "now", in seconds.
STALE = 10.0


def panel(
    state: FleetState, texts: Texts, width: int, now: float, load: LoadSummary | None = None
) -> list[Spans]:
    """Return each node with its CPU and RAM, its four indicators, and a line for each GPU."""
    lines: list[Spans] = []
    head = _head(texts, width)
    for node in state.nodes.values():
        if node.sampled is None:
            continue
        lines += [] if lines else [head]
        lines.append(fit_spans(_node_line(node, texts, now), width))
        if load is not None and node.name in load.nodes:
            lines.append([("  ", "text"), *indicators(load.nodes[node.name].indicators, texts, width - 2)])
        found = facts.gpus(node)
        lines += [_gpu_line(gpu, width) for gpu in found]
        if not found:
            lines.append([(f"   {texts('nodes.no_gpu')}", "muted")])
    return lines or [[(texts("gpu.title"), "head")], [(texts("gpu.none"), "muted")]]


class GpuColumn(Struct, frozen=True):
    """A column of the lines of GPUs: ``width`` cells, of which the first is blank."""

    title: Message
    cell: Callable[[facts.Gpu], Spans]
    width: int
    align: Literal["left", "right"] = "right"
    #: Width of the panel from which the column is shown.
    least: int = 0


def _util_style(gpu: facts.Gpu) -> str:
    return "muted" if gpu.util is None or gpu.util < 5 else "ok" if gpu.util >= 80 else "warn"


def _memory(gpu: facts.Gpu) -> Spans:
    if not gpu.memory_total:
        return []
    share = (gpu.memory_used or 0) / gpu.memory_total
    full, rest = bar(share, 6)
    return [(full, "warn" if share > 0.95 else "busy"), (rest, "faint"), (f"{share:4.0%}", "text")]


def _temperature(gpu: facts.Gpu) -> Spans:
    if gpu.temperature is None:
        return []
    return [(f"{gpu.temperature:3.0f}°C", "warn" if gpu.temperature >= 84 else "text")]


def _power(gpu: facts.Gpu) -> Spans:
    if gpu.power is None:
        return []
    cap = f"/{gpu.power_cap:.0f}" if gpu.power_cap else ""
    return [(f"{gpu.power:.0f}{cap} W", "text")]


def _clock(gpu: facts.Gpu) -> Spans:
    return [] if gpu.clock is None else [(f"{gpu.clock:.0f} MHz", "muted")]


def _quantity(one: Quantity, gpu: facts.Gpu) -> Spans:
    value = gpu.values.get(one.key)
    return [] if value is None else [(quantity_text(value, one.unit), "text")]


#: Every column to the right of the history of a GPU's load.
COLUMNS: Final = (
    GpuColumn(message("gpu-column.util", "util"), lambda gpu: [(percent(gpu.util), _util_style(gpu))], 5),
    GpuColumn(message("gpu-column.memory", "memory"), _memory, 11, "left"),
    GpuColumn(message("gpu-column.temperature", "temp"), _temperature, 6),
    GpuColumn(message("gpu-column.power", "power"), _power, 11, least=57),
    GpuColumn(message("gpu-column.clock", "clock"), _clock, 9, least=65),
    GpuColumn(EMPTY, lambda gpu: [(gpu.name, "muted")], 19, "left", least=86),
    *(
        GpuColumn(one.column, partial(_quantity, one), _QUANTITY, least=86 + _QUANTITY * number)
        for number, one in enumerate((one for one in GPU_QUANTITIES if one.column), 1)
    ),
)


def _shown(width: int) -> list[GpuColumn]:
    return [column for column in COLUMNS if width >= column.least]


def _spark_width(width: int) -> int:
    """Return the cells that are left for a GPU's history."""
    room = width - 5 - sum(column.width for column in _shown(width))
    return min(room, 30) if room >= 6 else 0


def _head(texts: Texts, width: int) -> Spans:
    text = fit(texts("gpu.title"), 4 + _spark_width(width))
    for column in _shown(width):
        text += " " + fit(texts.translate(column.title), column.width - 1, column.align)
    return [(text, "head")]


def _node_line(node: NodeState, texts: Texts, now: float) -> Spans:
    sample = node.sample
    used, total = (sample["ram"]["used"], sample["ram"]["total"]) if sample else (None, None)
    line: list[Span] = [(node.name, "strong"), (f"  CPU {percent(facts.cpu_load(node))}", "muted")]
    if used is not None and total:
        line.append((f"  RAM {percent(used / total * 100)}", "warn" if used / total > 0.92 else "muted"))
    if sample and sample["network"]["rx"] is not None:
        line.append((f"  ↓{size(sample['network']['rx'])} ↑{size(sample['network']['tx'])}/s", "muted"))
    age = now - (node.sampled or now)
    if STALE < age < math.inf:
        line.append((f"  {texts('gpu.stale', seconds=round(age))}", "warn"))
    return line


def _gpu_line(gpu: facts.Gpu, width: int) -> Spans:
    line: list[Span] = [(f"{gpu.index:>3} ", "muted")]
    if spark := _spark_width(width):
        line.append((sparkline(gpu.history, spark), _util_style(gpu)))
    for column in _shown(width):
        line += [(" ", "text"), *fit_spans(column.cell(gpu), column.width - 1, column.align)]
    return line
