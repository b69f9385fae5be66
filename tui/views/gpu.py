"""The load of every GPU of the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.state import FleetState, NodeState
from tui.i18n import Texts
from tui.units import bar, percent, size, sparkline
from tui.views import facts
from tui.views.load import lights
from tui.widgets.paint import Span, Spans, fit, fit_spans

if TYPE_CHECKING:
    from fleet.telemetry import Meaning

#: Cells, less the fixed ones, from which a GPU's clock is shown.
CLOCKED = 56
#: Samples older than this are no longer "now", in seconds.
STALE = 10.0


def panel(
    state: FleetState, texts: Texts, width: int, now: float, meaning: Meaning | None = None
) -> list[Spans]:
    """Return each node with its CPU and RAM, its four lights, and a line for each GPU."""
    lines: list[Spans] = []
    head = _head(texts, width)
    for node in state.nodes.values():
        if node.sampled is None:
            continue
        lines += [] if lines else [head]
        lines.append(fit_spans(_node_line(node, texts, now), width))
        if meaning is not None and node.name in meaning.nodes:
            lines.append([("  ", "text"), *lights(meaning.nodes[node.name].lights, texts, width - 2)])
        found = facts.gpus(node)
        lines += [_gpu_line(gpu, texts, width) for gpu in found]
        if not found:
            lines.append([(f"   {texts('nodes.no_gpu')}", "muted")])
    return lines or [[(texts("gpu.title"), "head")], [(texts("gpu.none"), "muted")]]


def _spark_width(width: int) -> int:
    """Return the cells that are left for a GPU's history."""
    room = width - 9
    room -= (11 if room >= 48 else 0) + (9 if room >= CLOCKED else 0) + (19 if room >= 77 else 0) + 18
    return min(room, 30) if room >= 6 else 0


def _head(texts: Texts, width: int) -> Spans:
    text = fit(texts("gpu.title"), 4 + _spark_width(width))
    text += fit(texts("gpu.util"), 5, "right") + " " + fit(texts("gpu.memory"), 10)
    text += fit(texts("gpu.temperature"), 6, "right")
    if width - 9 >= 48:
        text += fit(texts("gpu.power"), 11, "right")
    if width - 9 >= CLOCKED:
        text += fit(texts("gpu.clock"), 9, "right")
    return [(text, "head")]


def _node_line(node: NodeState, texts: Texts, now: float) -> Spans:
    ram = node.sample.get("ram") or {}
    used, total = ram.get("used"), ram.get("total")
    line: list[Span] = [(node.name, "strong"), (f"  CPU {percent(facts.cpu_load(node))}", "muted")]
    if used is not None and total:
        line.append((f"  RAM {percent(used / total * 100)}", "warn" if used / total > 0.92 else "muted"))
    network = node.sample.get("network") or {}
    if network.get("rx") is not None:
        line.append((f"  ↓{size(network['rx'])} ↑{size(network.get('tx'))}/s", "muted"))
    age = now - (node.sampled or now)
    if age > STALE:
        line.append((f"  {texts('gpu.stale', seconds=round(age))}", "warn"))
    return line


def _gpu_line(gpu: facts.Gpu, texts: Texts, width: int) -> Spans:
    line: list[Span] = [(f"{gpu.index:>3} ", "muted")]
    style = "muted" if gpu.util is None or gpu.util < 5 else "ok" if gpu.util >= 80 else "warn"
    show_power, show_name = width - 9 >= 48, width - 9 >= 77
    if spark := _spark_width(width):
        line.append((sparkline(gpu.history, spark), style))
    line.append((f"{percent(gpu.util):>5}", style))
    if gpu.memory_total:
        share = (gpu.memory_used or 0) / gpu.memory_total
        full, rest = bar(share, 6)
        line += [
            (" ", "text"),
            (full, "warn" if share > 0.95 else "busy"),
            (rest, "faint"),
            (f"{share:4.0%}", "text"),
        ]
    else:
        line.append((" " * 11, "text"))
    if gpu.temperature is not None:
        line.append((f" {gpu.temperature:3.0f}°C", "warn" if gpu.temperature >= 84 else "text"))
    if show_power and gpu.power is not None:
        cap = f"/{gpu.power_cap:.0f}" if gpu.power_cap else ""
        line.append((f" {f'{gpu.power:.0f}{cap} W':>10}", "text"))
    if width - 9 >= CLOCKED and gpu.clock is not None:
        line.append((f" {gpu.clock:4.0f} MHz", "muted"))
    if show_name:
        line.append((" " + fit(gpu.name, 18), "muted"))
    return line
