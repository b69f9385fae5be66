"""Samples of nodes as lines of text: what ``nvidia-smi`` shows, for the whole fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleet.telemetry import Light
from fleet.telemetry.series import gpus_of
from fleet.telemetry.throttle import harmful
from tui.cli.narrate import GLYPHS, size
from tui.i18n import Texts

Sample = Mapping[str, Any]

_UNKNOWN = "–"
_GIB = 1 << 30
_MOST_PROCESSES = 4


def table(samples: Mapping[str, Sample], lights: Mapping[str, Sequence[Light]], texts: Texts) -> list[str]:
    """Return a line for each node, one with its lights, and below it one for each GPU."""
    rows = {name: list(_gpu_rows(sample, texts)) for name, sample in samples.items()}
    cells = [row for found in rows.values() for row in found]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    lines = []
    for name, sample in samples.items():
        lines.append(_node_line(name, sample, texts))
        shown = [light for light in lights.get(name, ()) if light.status != "skip"]
        lines += [_light_line(shown, texts)] if shown else []
        lines += [_aligned(row, widths) for row in rows[name]]
        if not rows[name] and sample.get("error"):
            lines.append(f"    {texts.said(sample['error'])}")
    return lines


def _node_line(name: str, sample: Sample, texts: Texts) -> str:
    ram, network = sample.get("ram") or {}, sample.get("network") or {}
    parts = [name, f"CPU {_whole((sample.get('cpu') or {}).get('util'), ' %')}"]
    if ram.get("total"):
        parts.append(f"RAM {_of(ram.get('used'), ram['total'])}")
    if network.get("adapter"):
        speed = network.get("speed_mbps")
        limit = f" / {speed / 1000:g} Gbit/s" if speed else ""
        parts.append(f"{network['adapter']} ↓{_rate(network.get('rx'))} ↑{_rate(network.get('tx'))}{limit}")
    if sample.get("driver"):
        cuda = f", CUDA {sample['cuda']}" if sample.get("cuda") else ""
        parts.append(f"driver {sample['driver']}{cuda}")
    if sample.get("stale"):
        age = sample.get("gpu_age")
        since = f"GPU values are stale for {age:.0f} s" if age is not None else "GPU values are stale"
        why = texts.said(sample.get("error") or "no answer")
        parts.append(f"{GLYPHS['warn']} {texts.said(since)}: {why}")
    return "   ".join(parts)


def _light_line(lights: Sequence[Light], texts: Texts) -> str:
    return "  " + "   ".join(
        f"{GLYPHS[light.status]} {texts(f'light.{light.name}')}: {texts.said(light.seen)}" for light in lights
    )


def _gpu_rows(sample: Sample, texts: Texts) -> Iterator[tuple[str, ...]]:
    for index, gpu in gpus_of(sample):
        limit = gpu.get("power_cap")
        power = _whole(gpu.get("power")) + (f"/{limit:.0f}" if limit else "")
        yield (
            str(index),
            str(gpu.get("name") or "GPU").removeprefix("NVIDIA ").removeprefix("GeForce "),
            _whole(gpu.get("util"), " %"),
            _of(gpu.get("memory_used"), gpu.get("memory_total")),
            f"{power} W",
            _whole(gpu.get("temperature"), " °C"),
            _whole(gpu.get("clock"), " MHz"),
            _remarks(gpu, texts),
        )


def _remarks(gpu: Mapping[str, Any], texts: Texts) -> str:
    said = texts.said
    parts = [f"{GLYPHS['fail']} {said(gpu['error'])}"] if gpu.get("error") else []
    parts += [f"{GLYPHS['warn']} {said(f'slowed down: {word}')}" for word in harmful(gpu.get("throttle"))]
    if gpu.get("ecc_uncorrected"):
        errors = f"{gpu['ecc_uncorrected']:.0f} memory errors"
        parts.append(f"{GLYPHS['warn']} {said(errors)}")
    if gpu.get("mig"):
        parts.append(said(f"{len(gpu['mig'])} MIG instances"))
    processes = gpu.get("processes") or []
    for process in processes[:_MOST_PROCESSES]:
        memory = f" {size(process['memory'])}" if process.get("memory") else ""
        parts.append(f"{process.get('name') or 'process'} {process['pid']}{memory}")
    if len(processes) > _MOST_PROCESSES:
        parts.append(said(f"and {len(processes) - _MOST_PROCESSES} more"))
    return ", ".join(parts)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    # Number, name and remarks begin at the left, the figures between them end at the right.
    cells = [
        cell.ljust(width) if column in (0, 1, len(row) - 1) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"  {'  '.join(cells)}".rstrip()


def _whole(value: float | None, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:.0f}{unit}"


def _of(used: float | None, total: float | None) -> str:
    if used is None or not total:
        return _UNKNOWN
    return f"{used / _GIB:.1f}/{total / _GIB:.1f} GiB"


def _rate(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{size(value)}/s"
