"""Samples of nodes as lines of text: what ``nvidia-smi`` shows, for the whole fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from agent.wire.gpu import GPU_QUANTITIES, Gpu, gpu_value
from agent.wire.message import EMPTY, Message, from_data, message
from agent.wire.quantity import Quantity
from agent.wire.telemetry import Sample
from agent.wire.units import byte_rate, byte_size
from fleet.telemetry import Indicator
from fleet.telemetry.throttle import harmful
from tui.cli.columns import TextColumn, aligned, cells, right_columns
from tui.cli.narrate import GLYPHS
from tui.i18n import Texts
from tui.rendering.units import quantity_text

_UNKNOWN = "–"
_GIB = 1 << 30
_MOST_PROCESSES = 4


def table(
    samples: Mapping[str, Sample], indicators: Mapping[str, Sequence[Indicator]], texts: Texts
) -> list[str]:
    """Return a line per node, one with its indicators, and below it one per GPU."""
    rows = {name: cells(COLUMNS, sample["gpus"], texts) for name, sample in samples.items()}
    gpu_lines = iter(aligned([row for found in rows.values() for row in found], right=right_columns(COLUMNS)))
    lines = []
    for name, sample in samples.items():
        lines.append(_node_line(name, sample, texts))
        shown = [indicator for indicator in indicators.get(name, ()) if indicator.status != "skip"]
        lines += [_health_line(shown, texts)] if shown else []
        lines += [f"  {next(gpu_lines)}" for _ in rows[name]]
        if not rows[name] and sample["error"]:
            lines.append(f"    {texts.translate(from_data(sample['error']))}")
    return lines


def _node_line(name: str, sample: Sample, texts: Texts) -> str:
    ram, network = sample["ram"], sample["network"]
    parts = [name, f"CPU {_whole(sample['cpu']['util'], '%')}"]
    if ram["total"]:
        parts.append(f"RAM {_of(ram['used'], ram['total'])}")
    if network["adapter"]:
        speed = network["speed_mbps"]
        limit = f" / {speed / 1000:g} Gbit/s" if speed else ""
        parts.append(f"{network['adapter']} ↓{_rate(network['rx'])} ↑{_rate(network['tx'])}{limit}")
    if sample["driver"]:
        cuda = f", CUDA {sample['cuda']}" if sample["cuda"] else ""
        driver = message("gpu-table.driver", "driver {version}", version=sample["driver"])
        parts.append(f"{texts.translate(driver)}{cuda}")
    if sample["stale"]:
        parts.append(f"{GLYPHS['warn']} {texts.translate(_stale(sample))}")
    return "   ".join(parts)


def _stale(sample: Sample) -> Message:
    no_answer = message("gpu-table.no-answer", "no answer")
    why = from_data(sample["error"]) if sample["error"] else no_answer
    if sample["gpu_age"] is None:
        return message("gpu-table.stale", "GPU values are stale: {why}", why=why)
    return message(
        "gpu-table.stale-for",
        "GPU values are stale for {age:duration}: {why}",
        age=sample["gpu_age"],
        why=why,
    )


def _health_line(indicators: Sequence[Indicator], texts: Texts) -> str:
    return "  " + "   ".join(
        f"{GLYPHS[one.status]} {texts(f'indicator.{one.name}')}: {texts.translate(one.finding)}"
        for one in indicators
    )


def _name(gpu: Gpu, texts: Texts) -> str:
    return (gpu["name"] or "GPU").removeprefix("NVIDIA ").removeprefix("GeForce ")


def _power(gpu: Gpu, texts: Texts) -> str:
    limit = gpu["power_cap"]
    return f"{_whole(gpu['power'])}{f'/{limit:.0f}' if limit else ''} W"


def _remarks(gpu: Gpu, texts: Texts) -> str:
    translate = texts.translate
    parts = [f"{GLYPHS['fail']} {translate(from_data(gpu['error']))}"] if gpu["error"] else []
    warnings = [
        message("gpu-table.throttled", "throttled: {cause}", cause=cause)
        for cause in harmful(gpu["throttle"])
    ]
    if gpu["ecc_uncorrected"]:
        errors = gpu["ecc_uncorrected"]
        warnings.append(message("gpu-table.memory-errors", "{count:n memory error}", count=errors))
    parts += [f"{GLYPHS['warn']} {translate(warning)}" for warning in warnings]
    if gpu["mig"]:
        parts.append(translate(message("gpu-table.mig", "{count:n MIG instance}", count=len(gpu["mig"]))))
    processes = gpu["processes"] or []
    for process in processes[:_MOST_PROCESSES]:
        memory = f" {byte_size(process['memory'])}" if process["memory"] else ""
        name = process["name"] or translate(message("gpu-table.process", "process"))
        parts.append(f"{name} {process['pid']}{memory}")
    if len(processes) > _MOST_PROCESSES:
        rest = len(processes) - _MOST_PROCESSES
        parts.append(translate(message("gpu-table.more-processes", "and {count} more", count=rest)))
    return ", ".join(parts)


def _quantity(one: Quantity, gpu: Gpu, texts: Texts) -> str:
    """Return the quantity with its name, since the lines have no headings."""
    return f"{texts.translate(one.column)} {quantity_text(gpu_value(gpu, one), one.unit)}"


def _whole(value: float | None, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:.0f}{unit}"


def _of(used: float | None, total: float | None) -> str:
    if used is None or not total:
        return _UNKNOWN
    return f"{used / _GIB:.1f}/{total / _GIB:.1f} GiB"


def _rate(value: float | None) -> str:
    return _UNKNOWN if value is None else byte_rate(value)


#: Every column of the lines of GPUs, which have no headings.
COLUMNS: Final[tuple[TextColumn[Gpu], ...]] = (
    TextColumn(EMPTY, lambda gpu, texts: str(gpu["index"])),
    TextColumn(EMPTY, _name),
    TextColumn(EMPTY, lambda gpu, texts: _whole(gpu["util"], "%"), right=True),
    TextColumn(EMPTY, lambda gpu, texts: _of(gpu["memory_used"], gpu["memory_total"]), right=True),
    TextColumn(EMPTY, _power, right=True),
    TextColumn(EMPTY, lambda gpu, texts: _whole(gpu["temperature"], " °C"), right=True),
    TextColumn(EMPTY, lambda gpu, texts: _whole(gpu["clock"], " MHz"), right=True),
    *(TextColumn(one.column, partial(_quantity, one), right=True) for one in GPU_QUANTITIES if one.column),
    TextColumn(EMPTY, _remarks),
)
