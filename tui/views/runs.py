"""The history of runs, one run in full, two side by side, a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from agent.wire.message import message
from fleet.state import RunState
from tui.i18n import Texts
from tui.operations.interface import RunCard
from tui.rendering.load_words import all_words
from tui.rendering.rows import Row
from tui.rendering.spans import Spans, fit_spans, labelled, wrap
from tui.rendering.status import mark
from tui.rendering.table_columns import TableColumn, row_of
from tui.rendering.units import duration, local_time, number
from tui.views.plot import plot
from tui.views.run import steps_of

if TYPE_CHECKING:
    from fleet.telemetry import LoadSummary

_LABEL = 14


NODES = message("runs-column.nodes", "Nodes")
RANKS = message("runs-column.ranks", "Ranks")
TOOK = message("runs-column.took", "Duration")
CONFIG = message("runs-column.config", "Config")
CODE = message("runs-column.code", "Code")


class RunItem(NamedTuple):
    """What a row shows: a run of the history, and the time now (Unix seconds)."""

    card: RunCard
    now: float


def _started(item: RunItem, texts: Texts) -> Spans:
    started = item.card.started
    return [(local_time(started, "%Y-%m-%d %H:%M") if started else "–", "text")]


def _took(item: RunItem, texts: Texts) -> Spans:
    card = item.card
    return [(duration((card.finished or item.now) - card.started if card.started else None), "text")]


#: Every column of the history.
COLUMNS: Final[tuple[TableColumn[RunItem], ...]] = (
    TableColumn(
        "run", message("runs-column.run", "Run"), lambda item, texts: [(item.card.run, "strong")], 20
    ),
    TableColumn(
        "outcome",
        message("runs-column.outcome", "Outcome"),
        lambda item, texts: [mark("outcome", item.card.outcome or "running", texts)],
        12,
    ),
    TableColumn("started", message("runs-column.started", "Started"), _started, 16, order=1),
    TableColumn("took", TOOK, _took, 9, align="right", order=2),
    TableColumn(
        "ranks", RANKS, lambda item, texts: [(f"{item.card.world_size}", "text")], 5, align="right", order=3
    ),
    TableColumn(
        "nodes", NODES, lambda item, texts: [(f"{item.card.nodes}", "text")], 5, align="right", order=4
    ),
    TableColumn("config", CONFIG, lambda item, texts: [(item.card.config[:8], "text")], 8, order=5),
    TableColumn(
        "cause",
        message("runs-column.cause", "Cause"),
        lambda item, texts: [(texts.translate(item.card.cause), "muted")],
        16,
        1,
        order=6,
    ),
)


def rows(cards: Sequence[RunCard], texts: Texts, now: float) -> list[Row]:
    """Return a row for each run."""
    return [row_of(card.run, RunItem(card, now), COLUMNS, texts) for card in cards]


def details(run: RunState, texts: Texts, width: int, load: LoadSummary | None = None) -> list[Spans]:
    """Return what was recorded of a run, and what its load means."""
    lines: list[Spans] = [
        [(run.id, "title"), ("  ", "text"), mark("outcome", run.outcome or "running", texts)]
    ]
    remedy = f"→ {texts.translate(run.remedy)}" if run.remedy else ""
    for text, style in ((texts.translate(run.cause), "fail"), (remedy, "text")):
        lines += [[(line, style)] for line in wrap(text, width) if text]
    lines.append([])
    figures = run.leader
    pairs = [
        (texts.translate(TOOK), duration((run.finished or run.planned) - run.planned)),
        (texts.translate(RANKS), f"{run.plan.world_size}"),
        (texts.translate(NODES), ", ".join(dict.fromkeys(rank.node for rank in run.ranks.values()))),
        (texts("run.step"), "–" if figures is None else steps_of(figures)),
        (texts("run.loss"), number(figures.loss if figures else None)),
        (texts("run.samples"), f"{number(figures.samples_per_second if figures else None)}/s"),
        (texts("runs.checkpoints"), ", ".join(str(item.step) for item in run.checkpoints) or "–"),
        (texts("runs.command"), run.plan.command),
        *_digests(run, texts),
        *(((texts("runs.load"), "; ".join(words)),) if load and (words := all_words(load, texts)) else ()),
    ]
    for label, value in pairs:
        lines += labelled(label, value, _LABEL, width)
    if run.loss.drawn:
        lines += [[], [(texts("run.loss_curve"), "head")], *plot(run.loss.drawn, width, 10)]
    return lines


def _digests(run: RunState, texts: Texts) -> list[tuple[str, str]]:
    pairs = [(CONFIG, run.plan.config_digest), (CODE, run.plan.code_digest)]
    return [(texts.translate(title), digest) for title, digest in pairs if digest]


def differences(one: Mapping[str, str], other: Mapping[str, str], texts: Texts, width: int) -> list[Spans]:
    """Return the settings in which two runs differ, each with both values; empty without recorded ones."""
    if not one or not other:
        return []
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if not keys:
        return [[(f"✓ {texts('runs.same_settings')}", "ok")], []]
    lines: list[Spans] = [[(texts("runs.differ", count=len(keys)), "head")]]
    room = min(max(map(cell_len, keys)) + 2, width // 2)
    for key in keys:
        change = f"{one.get(key, '–')} → {other.get(key, '–')}"
        lines += labelled(key, change, room, width, "warn")
    return [*lines, []]


def compared(left: Sequence[Spans], right: Sequence[Spans], width: int) -> list[Spans]:
    """Return two runs' details side by side in ``width`` cells."""
    half = (width - 3) // 2
    lines: list[Spans] = []
    # Causes differ in length, but the figures below them stay aligned.
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
    """Return the question before a restart, and the step and checkpoint from which the run would start.

    A program without an option for it (``resumes`` false) decides itself where it resumes.
    """
    last = run.checkpoints[-1] if run.checkpoints else None
    if not resumes:
        return "runs.restart.other", 0, ""
    if run.outcome == "succeeded":
        return "runs.restart.done", 0, "none"
    if last is None or not last.record.path:
        return "runs.restart.anew", 0, "none"
    return "runs.restart.step", last.step, last.record.path


def report(
    run: RunState,
    texts: Texts,
    settings: Mapping[str, str] | None = None,
    load: LoadSummary | None = None,
) -> str:
    """Return a run as Markdown, with the settings it was started with where they were kept."""
    lines = [f"# {texts('runs.report', run=run.id)}", ""]
    lines += ["".join(text for text, _ in spans).rstrip() for spans in details(run, texts, 96, load)]
    fence = "```"
    text = "\n".join([lines[0], "", fence, *lines[2:], fence]) + "\n"
    if settings:
        kept = [f"{key}: {value}" for key, value in settings.items()]
        text += "\n".join(["", f"## {texts('runs.settings')}", "", fence, *kept, fence]) + "\n"
    return text
