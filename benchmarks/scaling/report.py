"""Rows of the result: as JSON for programs, as a table for docs/scaling.md."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from msgspec.structs import asdict

from benchmarks.scaling.cells import Cell
from benchmarks.scaling.measure import Measured

Row = dict[str, Any]

_HEAD = (
    "network", "ranks", "nodes", "backend", "gradients", "images/s", "speed-up", "efficiency", "forecast",
    "GPU busy", "exchanging gradients", "waiting for data", "step", "slowest / fastest",
)  # fmt: skip


def row_of(measured: Measured, base: Measured | None, forecast: float | None = None) -> Row:
    """Return a cell's row; ``base`` is the same network on one rank, None when that has failed.

    ``forecast`` is in images a second, and ``forecast_error`` how far it was too high (over 0) or too low.

    ``efficiency`` is the speed-up over the number of processors: 1.0 for two ranks on one GPU that are
    together as fast as one rank.
    """
    figures = asdict(measured.figures)
    speedup = figures["images_s"] / base.figures.images_s if base else None
    return {
        "measure": "cell",
        **_place(measured.cell),
        "speedup": speedup,
        "efficiency": speedup / measured.cell.devices if speedup else None,
        "forecast_images_s": forecast,
        "forecast_error": forecast / figures["images_s"] - 1 if forecast else None,
        **figures,
        "until_training": measured.until_training,
        "run_seconds": measured.seconds,
    }


def missing_row(cell: Cell, reason: str) -> Row:
    """Return the row of a cell without figures."""
    return {"measure": "not run", **_place(cell), "reason": reason}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, in their order."""
    lines = [_line(_HEAD), _line("---" for _ in _HEAD)]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)]) + "\n"


def _place(cell: Cell) -> Row:
    return {
        "size": cell.size,
        "world": cell.world,
        "nodes": len(cell.shares),
        "devices": cell.devices,
        "backend": cell.backend,
        "gradients": cell.gradients,
    }


def _cells(row: Row) -> list[str]:
    place = [row["size"], str(row["world"]), str(row["nodes"]), row["backend"], row["gradients"]]
    if row["measure"] == "not run":
        reason = shorten(row["reason"], 100, placeholder=" ...")
        return [*place, f"not run: {reason}", *[""] * (len(_HEAD) - len(place) - 1)]
    return [
        *place,
        f"{row['images_s']:.1f}",
        _reported(row["speedup"], "{:.2f}x"),
        _reported(row["efficiency"], "{:.0%}"),
        f"{row['forecast_images_s']:.1f} ({row['forecast_error']:+.0%})" if row["forecast_images_s"] else "-",
        _reported(row["gpu_utilisation"], "{:.0%}"),
        _reported(row["communication_share"], "{:.0%}"),
        _reported(row["data_share"], "{:.1%}"),
        f"{row['step_time'] * 1000:.0f} ms",
        f"{row['spread']:.2f}",
    ]


def _reported(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
