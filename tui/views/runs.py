"""The history of runs, one run in full, two side by side, a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from fleet.state import RunState
from tui.i18n import Texts
from tui.load_words import all_words
from tui.operations import RunCard
from tui.status import mark
from tui.units import duration, number
from tui.views.plot import plot
from tui.widgets.paint import Spans, fit, fit_spans, wrap
from tui.widgets.table import Column, Row

if TYPE_CHECKING:
    from fleet.telemetry import Meaning

_LABEL = 14


def columns(texts: Texts) -> list[Column]:
    """Return the columns of the history."""
    title = {
        key: texts(f"runs.column.{key}")
        for key in ("run", "started", "took", "outcome", "ranks", "nodes", "config", "cause")
    }
    return [
        Column("run", title["run"], 20),
        Column("outcome", title["outcome"], 12),
        Column("started", title["started"], 16, order=1),
        Column("took", title["took"], 9, align="right", order=2),
        Column("ranks", title["ranks"], 5, align="right", order=3),
        Column("nodes", title["nodes"], 5, align="right", order=4),
        Column("config", title["config"], 8, order=5),
        Column("cause", title["cause"], 16, 1, order=6),
    ]


def rows(cards: Sequence[RunCard], texts: Texts, now: float) -> list[Row]:
    """Return a row for each run."""
    return [_row(card, texts, now) for card in cards]


def _row(card: RunCard, texts: Texts, now: float) -> Row:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(card.started)) if card.started else "–"
    took = (card.finished or now) - card.started if card.started else None
    return Row(
        card.run,
        {
            "run": [(card.run, "strong")],
            "outcome": [mark("outcome", card.outcome or "running", texts)],
            "started": [(started, "text")],
            "took": [(duration(took), "text")],
            "ranks": [(f"{card.world_size}", "text")],
            "nodes": [(f"{card.nodes}", "text")],
            "config": [(card.config[:8], "text")],
            "cause": [(texts.said(card.cause), "muted")],
        },
    )


def details(run: RunState, texts: Texts, width: int, meaning: Meaning | None = None) -> list[Spans]:
    """Return what was recorded of a run, and what its load means."""
    lines: list[Spans] = [
        [(run.id, "title"), ("  ", "text"), mark("outcome", run.outcome or "running", texts)]
    ]
    remedy = f"→ {texts.said(run.remedy)}" if run.remedy else ""
    for text, style in ((texts.said(run.cause), "fail"), (remedy, "text")):
        lines += [[(line, style)] for line in wrap(text, width) if text]
    lines.append([])
    figures = run.leader
    pairs = [
        (texts("runs.column.took"), duration((run.finished or run.planned) - run.planned)),
        (texts("runs.column.ranks"), f"{run.plan.world_size}"),
        (texts("runs.column.nodes"), ", ".join(dict.fromkeys(rank.node for rank in run.ranks.values()))),
        (texts("run.step"), str(figures.get("step", "–"))),
        (texts("run.loss"), number(figures.get("loss"))),
        (texts("run.samples"), f"{number(figures.get('samples_s'))}/s"),
        (texts("runs.checkpoints"), ", ".join(str(item.step) for item in run.checkpoints) or "–"),
        (texts("runs.command"), run.plan.command),
        *_digests(run, texts),
        *(
            ((texts("runs.load"), "; ".join(words)),)
            if meaning and (words := all_words(meaning, texts))
            else ()
        ),
    ]
    for label, value in pairs:
        first, *rest = wrap(value, max(10, width - _LABEL))
        lines.append([(fit(label, _LABEL), "muted"), (first, "text")])
        lines += [[(" " * _LABEL + part, "text")] for part in rest]
    if run.loss.drawn:
        lines += [[], [(texts("run.loss_curve"), "head")], *plot(run.loss.drawn, width, 10)]
    return lines


def _digests(run: RunState, texts: Texts) -> list[tuple[str, str]]:
    pairs = [("config", run.plan.config_digest), ("code", run.plan.code_digest)]
    return [(texts(f"runs.column.{name}"), digest) for name, digest in pairs if digest]


def differences(one: Mapping[str, str], other: Mapping[str, str], texts: Texts, width: int) -> list[Spans]:
    """Return the settings in which two runs differ, each with both values; nothing when none were kept."""
    if not one or not other:
        return []
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if not keys:
        return [[(f"✓ {texts('runs.same_settings')}", "ok")], []]
    lines: list[Spans] = [[(texts("runs.differ", count=len(keys)), "head")]]
    room = min(max(map(cell_len, keys)) + 2, width // 2)
    for key in keys:
        change = f"{one.get(key, '–')} → {other.get(key, '–')}"
        first, *rest = wrap(change, max(10, width - room))
        lines.append([(fit(key, room), "muted"), (first, "warn")])
        lines += [[(" " * room + part, "warn")] for part in rest]
    return [*lines, []]


def compared(left: Sequence[Spans], right: Sequence[Spans], width: int) -> list[Spans]:
    """Return two runs' details side by side in ``width`` cells."""
    half = (width - 3) // 2
    lines: list[Spans] = []
    # Causes differ in length: the figures below them stand side by side all the same.
    heads = [next((i for i, line in enumerate(side) if not line), 0) for side in (left, right)]
    left, right = (
        [*side[:head], *[()] * (max(heads) - head), *side[head:]]
        for side, head in zip((left, right), heads, strict=True)
    )
    for position in range(max(len(left), len(right))):
        one = left[position] if position < len(left) else ()
        other = right[position] if position < len(right) else ()
        lines.append([*fit_spans(one, half), (" │ ", "faint"), *fit_spans(other, half)])
    return lines


def restart(run: RunState, resumes: bool) -> tuple[str, int, str]:
    """Return the question before a run starts again, and from which step and checkpoint it would.

    A program that can't be told (``resumes`` false) goes on from what it has kept itself.
    """
    last = run.checkpoints[-1] if run.checkpoints else None
    if not resumes:
        return "runs.restart.other", 0, ""
    if run.outcome == "succeeded":
        return "runs.restart.done", 0, "none"
    if last is None or not last.record.get("path"):
        return "runs.restart.anew", 0, "none"
    return "runs.restart.step", last.step, str(last.record["path"])


def report(
    run: RunState,
    texts: Texts,
    settings: Mapping[str, str] | None = None,
    meaning: Meaning | None = None,
) -> str:
    """Return a run as Markdown, with the settings it was started with where they were kept."""
    lines = [f"# {texts('runs.report', run=run.id)}", ""]
    lines += ["".join(text for text, _ in spans).rstrip() for spans in details(run, texts, 96, meaning)]
    fence = "```"
    text = "\n".join([lines[0], "", fence, *lines[2:], fence]) + "\n"
    if settings:
        kept = [f"{key}: {value}" for key, value in settings.items()]
        text += "\n".join(["", f"## {texts('runs.settings')}", "", fence, *kept, fence]) + "\n"
    return text
