"""Each event as one sentence for a person, without any terminal in mind."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

from fleet.events import (
    CheckFinished,
    CopyProgressed,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    NodeDeployed,
    NodeProbed,
    Notice,
    PlanDrawn,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
    RunPlanned,
    StageChanged,
)
from tui.i18n import Texts

GLYPHS = {"ok": "✓", "fail": "✗", "warn": "!", "skip": "-", "info": "·"}


def size(count: float) -> str:
    """Return a number of bytes with a unit of three digits: ``3.2 MB``."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def seconds(value: float) -> str:
    """Return a duration: ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Told(NamedTuple):
    """A sentence in English, whose it is, and what to do."""

    status: str
    node: str
    text: str
    remedy: str


def sentence(event: Event, texts: Texts) -> str | None:
    """Return the sentence with its glyph, or None for what only a screen shows."""
    if isinstance(event, RankPhase):
        event = replace(event, phase=texts.word("phase", event.phase))
    told = _told(event)
    if told is None:
        return None
    node = f"{told.node}: " if told.node else ""
    after = f"\n    -> {texts.said(told.remedy)}" if told.remedy else ""
    return f"{GLYPHS[told.status]} {node}{texts.said(told.text)}{after}"


@singledispatch
def _told(event: Event) -> _Told | None:
    return None


def _line(status: str, event: Event, text: str, remedy: str = "") -> _Told:
    return _Told(status, event.node, text, remedy)


@_told.register
def _(event: LinkChanged) -> _Told | None:
    if event.state == "up":
        latency = f" ({event.latency_ms:.0f} ms)" if event.latency_ms is not None else ""
        return _line("ok", event, f"connected over {event.transport}{latency}")
    if event.state in ("failed", "lost"):
        return _line("fail", event, event.detail, event.remedy)
    return None


@_told.register
def _(event: NodeProbed) -> _Told | None:
    system = event.facts.get("os") or {}
    gpus = event.facts.get("gpus") or []
    memory = (event.facts.get("ram") or {}).get("total")
    kinds = ", ".join(sorted({str(gpu.get("name")) for gpu in gpus}))
    parts = [
        " ".join(str(system.get(key)) for key in ("system", "release") if system.get(key)),
        f"{len(gpus)} GPU ({kinds})" if gpus else "no GPU",
        f"{size(memory)} RAM" if memory else "",
    ]
    return _line("info", event, ", ".join(part for part in parts if part))


@_told.register
def _(event: CheckFinished) -> _Told | None:
    return _line(event.status, event, f"{event.check}: {event.seen}", event.remedy)


@_told.register
def _(event: StageChanged) -> _Told | None:
    detail = f": {event.detail}" if event.detail else ""
    if event.state == "failed":
        return _line("fail", event, f"{event.stage}{detail}", event.remedy)
    if event.state in ("done", "skipped"):
        return _line("ok" if event.state == "done" else "skip", event, f"{event.stage}{detail}")
    return None


@_told.register
def _(event: CopyProgressed) -> _Told | None:
    left = f", {seconds(event.eta)} left" if event.eta is not None else ""
    return _line(
        "info",
        event,
        f"{event.files_done}/{event.files_total} files, {size(event.bytes_done)} of "
        f"{size(event.bytes_total)}, {size(event.rate)}/s{left}",
    )


@_told.register
def _(event: FileChange) -> _Told | None:
    return _line("info", event, f"would {event.action} {event.path} ({size(event.size)})")


@_told.register
def _(event: EnvironmentOutput) -> _Told | None:
    text = event.text.rstrip()
    return _line("info", event, text) if text else None


@_told.register
def _(event: NodeDeployed) -> _Told | None:
    if event.ok:
        sent = (
            f"{event.files_sent} files, {size(event.bytes_sent)} sent" if event.files_sent else "0 bytes sent"
        )
        return _line("ok", event, f"deployed, {sent}")
    return _line("fail", event, f"not deployed: {event.detail}", event.remedy)


@_told.register
def _(event: RunPlanned) -> _Told | None:
    placed = ", ".join(
        f"{node} {len([rank for rank in event.ranks if rank.node == node])}"
        for node in dict.fromkeys(rank.node for rank in event.ranks)
    )
    return _line(
        "info",
        event,
        f"run {event.run}: world size {event.world_size} ({placed}), rendezvous at "
        f"{event.master_address}:{event.master_port}",
    )


@_told.register
def _(event: RankStarted) -> _Told | None:
    return _line("ok", event, f"rank {event.rank} started (pid {event.pid})")


@_told.register
def _(event: RankPhase) -> _Told | None:
    return _line("info", event, f"rank {event.rank} is {event.phase}")


@_told.register
def _(event: RankExited) -> _Told | None:
    if event.stopped:
        return _line("skip", event, f"rank {event.rank} was stopped")
    return _line("ok" if event.code == 0 else "fail", event, f"rank {event.rank} exited with {event.code}")


@_told.register
def _(event: RunFinished) -> _Told | None:
    cause = f": {event.cause}" if event.cause else ""
    if event.outcome == "succeeded":
        return _line("ok", event, f"run {event.run} succeeded{cause}", event.remedy)
    if event.outcome == "stopped":
        return _line("skip", event, f"run {event.run} stopped{cause}", event.remedy)
    return _line("fail", event, f"run {event.run} failed{cause}", event.remedy)


@_told.register
def _(event: Notice) -> _Told | None:
    status = {"info": "info", "warning": "warn"}.get(event.level, "fail")
    return _line(status, event, event.text, event.remedy)


@_told.register
def _(event: PlanDrawn) -> _Told | None:
    return _line("ok", event, f"run {event.run} drew {event.path}")
