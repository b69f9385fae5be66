"""Each event as one message, and as a line of narration."""

from __future__ import annotations

from collections import Counter
from functools import singledispatch

from msgspec import Struct

from agent.wire.message import EMPTY, Message, message
from fleet.events import (
    CheckFinished,
    CopyProgressed,
    DeployPreview,
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
    RunPreview,
    StageChanged,
)
from fleet.facts import NodeFacts
from fleet.terminal import one_line
from tui.cli.errors import failure_text
from tui.i18n import Texts, label
from tui.rendering.dry_run import would_change, would_start

GLYPHS = {"ok": "✓", "fail": "✗", "warn": "!", "skip": "-", "info": "·"}


class Narration(Struct, frozen=True):
    """What is printed of an event; ``subject`` is the check or the stage that ``text`` is about."""

    status: str
    text: str
    remedy: str = EMPTY
    subject: Message = EMPTY


def sentence(event: Event, texts: Texts) -> str | None:
    """Return the line for an event with its glyph, or None for what only a screen shows."""
    found = narration_of(event)
    if found is None:
        return None
    text = ": ".join(
        filter(None, (one_line(event.node), texts.translate(found.subject), texts.translate(found.text)))
    )
    return failure_text("", Message(f"{GLYPHS[found.status]} {text}"), found.remedy, texts)


@singledispatch
def narration_of(event: Event) -> Narration | None:
    """Return what is printed of an event; None for what only a screen shows."""
    return None


@narration_of.register
def _(event: LinkChanged) -> Narration | None:
    if event.state in ("failed", "lost"):
        return Narration("fail", event.detail, event.remedy)
    if event.state == "connecting" and event.detail:
        return Narration("info", event.detail)
    if event.state != "up":
        return None
    if event.latency_ms is None:
        return Narration("ok", message("narration.connected", "connected over {name}", name=event.transport))
    return Narration(
        "ok",
        message(
            "narration.connected-latency",
            "connected over {name} ({latency:.0f} ms)",
            name=event.transport,
            latency=event.latency_ms,
        ),
    )


@narration_of.register
def _(event: NodeProbed) -> Narration | None:
    return Narration("info", _described(event.facts))


def _described(facts: NodeFacts) -> Message:
    system = " ".join(filter(None, (facts["os"]["system"], facts["os"]["release"])))
    kinds = sorted({gpu["name"] or "GPU" for gpu in facts["gpus"]})
    gpus = (
        message("narration.gpus", "{count:n GPU} ({kinds})", count=len(facts["gpus"]), kinds=kinds)
        if facts["gpus"]
        else message("narration.no-gpu", "no GPU")
    )
    memory = facts["ram"]["total"]
    if not memory:
        return message(
            "narration.node-without-ram", "{system}, {gpus}, RAM unknown", system=system, gpus=gpus
        )
    return message(
        "narration.node", "{system}, {gpus}, {ram:bytes} RAM", system=system, gpus=gpus, ram=memory
    )


@narration_of.register
def _(event: CheckFinished) -> Narration | None:
    return Narration(event.status, event.seen, event.remedy, subject=Message(event.check))


@narration_of.register
def _(event: StageChanged) -> Narration | None:
    status = {"failed": "fail", "done": "ok", "skipped": "skip"}.get(event.state)
    if status is None:
        return None
    return Narration(status, event.detail, event.remedy, subject=label("step", event.stage))


@narration_of.register
def _(event: CopyProgressed) -> Narration | None:
    if event.eta is None:
        return Narration(
            "info",
            message(
                "narration.copied",
                "{done}/{total:n file}, {sent:bytes} of {size:bytes}, {rate:byte-rate}",
                done=event.files_done,
                total=event.files_total,
                sent=event.bytes_done,
                size=event.bytes_total,
                rate=event.rate,
            ),
        )
    return Narration(
        "info",
        message(
            "narration.copied-eta",
            "{done}/{total:n file}, {sent:bytes} of {size:bytes}, {rate:byte-rate}, {eta:duration} left",
            done=event.files_done,
            total=event.files_total,
            sent=event.bytes_done,
            size=event.bytes_total,
            rate=event.rate,
            eta=event.eta,
        ),
    )


@narration_of.register
def _(event: FileChange) -> Narration | None:
    path, size = event.path, event.size
    if event.action == "add":
        text = message("narration.would-add", "would add {path} ({size:bytes})", path=path, size=size)
    elif event.action == "replace":
        text = message("narration.would-replace", "would replace {path} ({size:bytes})", path=path, size=size)
    else:
        text = message("narration.would-delete", "would delete {path} ({size:bytes})", path=path, size=size)
    return Narration("info", text)


@narration_of.register
def _(event: EnvironmentOutput) -> Narration | None:
    text = event.text.rstrip()
    return Narration("info", Message(text)) if text else None


@narration_of.register
def _(event: NodeDeployed) -> Narration | None:
    if not event.ok:
        text = message("narration.not-deployed", "not deployed: {why}", why=event.detail)
        return Narration("fail", text, event.remedy)
    if not event.files_sent:
        return Narration("ok", message("narration.deployed-nothing", "deployed, 0 bytes sent"))
    return Narration(
        "ok",
        message(
            "narration.deployed",
            "deployed, {files:n file}, {size:bytes} sent",
            files=event.files_sent,
            size=event.bytes_sent,
        ),
    )


@narration_of.register
def _(event: DeployPreview) -> Narration | None:
    return Narration("info", would_change(event))


@narration_of.register
def _(event: RunPreview) -> Narration | None:
    return Narration("info", would_start(event))


@narration_of.register
def _(event: RunPlanned) -> Narration | None:
    ranks = Counter(rank.node for rank in event.ranks)
    return Narration(
        "info",
        message(
            "narration.run-planned",
            "run {run}: world size {size} ({ranks}), rendezvous at {address}:{port}",
            run=event.run,
            size=event.world_size,
            ranks=[f"{node} {count}" for node, count in ranks.items()],
            address=event.master_address,
            port=event.master_port,
        ),
    )


@narration_of.register
def _(event: RankStarted) -> Narration | None:
    return Narration(
        "ok",
        message("narration.rank-started", "rank {rank} started (pid {pid})", rank=event.rank, pid=event.pid),
    )


@narration_of.register
def _(event: RankPhase) -> Narration | None:
    phase = label("phase", event.phase)
    return Narration(
        "info", message("narration.rank-phase", "rank {rank} is {phase}", rank=event.rank, phase=phase)
    )


@narration_of.register
def _(event: RankExited) -> Narration | None:
    if event.lost:
        text = message(
            "narration.rank-lost", "rank {rank} is lost: its exit code is unknown", rank=event.rank
        )
        return Narration("fail", text)
    if event.stopped:
        return Narration(
            "skip", message("narration.rank-stopped", "rank {rank} was stopped", rank=event.rank)
        )
    return Narration(
        "ok" if event.code == 0 else "fail",
        message("narration.rank-exited", "rank {rank} exited with {code}", rank=event.rank, code=event.code),
    )


@narration_of.register
def _(event: RunFinished) -> Narration | None:
    status = {"succeeded": "ok", "stopped": "skip"}.get(event.outcome, "fail")
    return Narration(status, _outcome(event), event.remedy)


def _outcome(event: RunFinished) -> Message:
    run, why = event.run, event.cause
    if event.outcome == "succeeded":
        if why:
            return message("narration.run-succeeded-why", "run {run} succeeded: {why}", run=run, why=why)
        return message("narration.run-succeeded", "run {run} succeeded", run=run)
    if event.outcome == "stopped":
        if why:
            return message("narration.run-stopped-why", "run {run} stopped: {why}", run=run, why=why)
        return message("narration.run-stopped", "run {run} stopped", run=run)
    if why:
        return message("narration.run-failed-why", "run {run} failed: {why}", run=run, why=why)
    return message("narration.run-failed", "run {run} failed", run=run)


@narration_of.register
def _(event: Notice) -> Narration | None:
    status = {"info": "info", "warning": "warn"}.get(event.level, "fail")
    return Narration(status, event.text, event.remedy)


@narration_of.register
def _(event: PlanDrawn) -> Narration | None:
    return Narration(
        "ok", message("narration.drawn", "run {run} drew {path}", run=event.run, path=event.path)
    )
