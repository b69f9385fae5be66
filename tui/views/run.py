"""A run: its header line, its ranks, its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from agent.wire.message import message
from fleet.metrics_record import MetricsRecord
from fleet.state import FleetState, RankState, RunState
from tui.i18n import Texts
from tui.rendering.spans import Span, Spans, fit, fit_spans, width_of, wrap
from tui.rendering.status import glyph, mark
from tui.rendering.table_columns import TableColumn
from tui.rendering.units import duration, number
from tui.views.plot import plot

RANK = message("rank-column.rank", "rank")
#: A rank whose step takes longer than the median of all by this factor is called a straggler.
STRAGGLER = 1.15
#: Cells from which all columns of the ranks are shown.
_WIDE = 44
#: Lines that the loss curve has at least.
LEAST_CURVE = 4


def median(values: Sequence[float]) -> float:
    """Return the middle value (``statistics`` would take longer to import than the screen to draw)."""
    return sorted(values)[len(values) // 2]


def outcome(run: RunState) -> str:
    """Return the run's outcome, ``running`` while there is none."""
    return run.outcome or "running"


def phase(rank: RankState) -> str:
    """Return what a rank is doing, or how it ended."""
    if rank.lost:
        return "lost"
    if rank.code is None:
        return rank.phase
    return "failed" if rank.failed else "stopped" if rank.stopped else "done"


def header(run: RunState, texts: Texts, now: float, width: int, indicators: Spans = ()) -> list[Span]:
    """Return the run in one line: state, elapsed, ranks, step, loss, left, indicators, as far as they fit."""
    up = sum(rank.alive for rank in run.ranks.values())
    figures = run.leader
    spans: list[Span] = [mark("outcome", outcome(run), texts), ("  ", "text"), (run.id, "strong")]
    if run.active and run.phase != "training":
        spans += [("  ", "text"), mark("phase", run.phase, texts)]
    spans.append((f"  {duration((run.finished or now) - run.planned)}", "text"))
    style = "text" if up == run.plan.world_size or not run.active else "warn"
    spans.append((f"  {texts('run.ranks_up', up=up, total=run.plan.world_size)}", style))
    if figures:
        spans.append((f"  {texts('run.step')} {steps_of(figures)}", "text"))
        if (epochs := epochs_of(figures)) is not None:
            spans.append((f"  {texts('run.epoch')} {epochs}", "text"))
        spans.append((f"  {texts('run.loss')} {number(figures.loss)}", "text"))
        if run.active and figures.eta is not None:
            spans.append((f"  {texts('run.left')} {duration(figures.eta)}", "text"))
    if run.active and width_of(spans) + width_of(indicators) + 3 <= width:
        spans += [("   ", "text"), *indicators]
    while len(spans) > 3 and width_of(spans) > width:
        spans.pop()
    return spans


def steps_of(record: MetricsRecord) -> str:
    """Return the step with its total, within the epoch where only the epoch has a total."""
    step, total = record.step, record.steps
    within, of_epoch = record.numbers.get("epoch_step"), record.numbers.get("epoch_steps")
    if total is None and within is not None and of_epoch is not None:
        return f"{within:.0f}/{of_epoch:.0f}"
    shown = "–" if step is None else f"{step}"
    return f"{shown}/{total}" if total else shown


def epochs_of(record: MetricsRecord) -> str | None:
    """Return the epoch that a program has printed, with the number of epochs; None without one."""
    epoch, epochs = record.numbers.get("epoch"), record.numbers.get("epochs")
    if epoch is None or not math.isfinite(epoch):
        return None
    shown = f"{epoch:.0f}" if epoch.is_integer() else f"{epoch:.2f}"
    return f"{shown}/{epochs:.0f}" if epochs is not None and math.isfinite(epochs) else shown


def ending(run: RunState, texts: Texts, width: int) -> list[Spans]:
    """Return why a run failed and what to do, in as many lines as it takes; empty for one that did not."""
    if not run.cause and not run.remedy:
        return []
    sign, style = glyph("outcome", outcome(run))
    lines: list[Spans] = [[(text, style)] for text in wrap(f"{sign} {texts.translate(run.cause)}", width)]
    if run.remedy:
        lines += [[(text, "text")] for text in wrap(f"→ {texts.translate(run.remedy)}", width)]
    return lines


def training(
    run: RunState,
    texts: Texts,
    width: int,
    height: int,
    now: float,
    notes: Sequence[Spans] = (),
    *,
    explained: bool = False,
) -> list[Spans]:
    """Return the training panel: figures, ``notes`` on the load, the loss curve, the ranks, checkpoints.

    ``explained``: the notes name the straggler.
    """
    lines = [*figures(run, texts, width), *notes]
    ranks = rank_lines(run, texts, width, now, explained=explained)
    # The curve gets the remaining lines; if there are few, the empty lines are dropped first.
    space = height - len(lines) - len(ranks) - 3 - 2 * bool(run.checkpoints)
    gap: list[Spans] = [[]] if space >= LEAST_CURVE else []
    if run.loss.drawn:
        curve = plot(run.loss.drawn, width, max(LEAST_CURVE, min(14, space)))
        lines += [*gap, [(texts("run.loss_curve"), "head")], *curve]
    lines += [*gap, *ranks]
    if run.checkpoints:
        newest = run.checkpoints[-1]
        ago = duration(now - newest.at)
        lines += [
            *gap,
            [(texts("run.checkpoint", step=newest.step, ago=ago, count=len(run.checkpoints)), "text")],
        ]
    return lines


def figures(run: RunState, texts: Texts, width: int) -> list[Spans]:
    """Return the newest figures as label and value, two to a line where there is room."""
    record = run.leader
    if record is None:
        return [[(texts("run.no_metrics"), "muted")]]
    pairs = [
        (texts("run.step"), steps_of(record)),
        (texts("run.loss"), number(record.loss)),
        (texts("run.samples"), f"{number(record.samples_per_second)}/s"),
        (texts("run.lr"), number(record.lr, 3)),
        (texts("run.step_time"), f"{number(record.step_time, 3)} s"),
        (texts("run.left"), duration(record.eta if run.active else None)),
    ]
    if (epochs := epochs_of(record)) is not None:
        pairs.insert(1, (texts("run.epoch"), epochs))
    columns = 2 if width >= 36 else 1
    cell = width // columns
    label = max(cell_len(text) for text, _ in pairs) + 2
    lines: list[Spans] = []
    for start in range(0, len(pairs), columns):
        line: list[Span] = []
        for name, value in pairs[start : start + columns]:
            line += [(fit(name, label), "muted"), (fit(value, cell - label), "strong")]
        lines.append(line)
    return lines


def rank_lines(
    run: RunState, texts: Texts, width: int, now: float, *, explained: bool = False
) -> list[Spans]:
    """Return one line per rank: number, node, phase and how a step's time is spent.

    A slow rank's mark is explained below them, unless another line already explains it.
    """
    pace = [median(rank.pace[-10:]) for rank in run.ranks.values() if rank.pace]
    usual = median(pace) if pace else None
    wide = width >= _WIDE
    shown = [column for column in RANK_COLUMNS if wide or column.order == 0]
    titles = (fit(texts.translate(column.title), column.width, column.align) for column in shown)
    lines: list[Spans] = [[(" ".join(titles), "head")]]
    for number_, rank in sorted(run.ranks.items()):
        lines.append(_rank_line(RankItem(number_, rank, usual), shown, texts, now, run.active))
    if not explained and wide and run.active and any(straggles(rank, usual) for rank in run.ranks.values()):
        lines.append([(f"   ▲ {texts('run.slow')}", "warn")])
    return lines


def straggles(rank: RankState, usual: float | None) -> bool:
    """Return whether the rank's steps take clearly longer than is usual in the run."""
    return bool(rank.pace and usual and median(rank.pace[-10:]) > usual * STRAGGLER)


def _rank_line(
    item: RankItem, shown: Sequence[TableColumn[RankItem]], texts: Texts, now: float, active: bool
) -> Spans:
    rank = item.rank
    line: list[Span] = []
    for column in shown:
        if rank.code and column.order:
            continue  # the exit code is shown instead
        line += [(" ", "text")] if line else []
        line += fit_spans(column.cell(item, texts), column.width, column.align)
    if rank.code:
        line.append((f" {texts('run.exit', code=rank.code)}", "fail" if rank.failed else "muted"))
    if active and rank.alive and rank.last_seen is not None and now - rank.last_seen > 60:
        line.append((f" {texts('run.silent', time=duration(now - rank.last_seen))}", "warn"))
    return line


class RankItem(NamedTuple):
    """What a line of the monitor shows: a rank, and the usual time of a step in the run (seconds)."""

    number: int
    rank: RankState
    usual: float | None


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _total(item: RankItem, texts: Texts) -> Spans:
    step = item.rank.step
    if step is None:
        return []
    late = straggles(item.rank, item.usual)
    text = _seconds(step.step_time)
    return [(f"▲{text}" if late else text, "warn" if late else "text")]


def _data(item: RankItem, texts: Texts) -> Spans:
    return [(_seconds(item.rank.step.data_time), "text")] if item.rank.step else []


def _communication(item: RankItem, texts: Texts) -> Spans:
    return [(_seconds(item.rank.step.comm_time), "text")] if item.rank.step else []


#: Every column of the ranks. Those of an order other than 0 are shown where there is room for all of them.
RANK_COLUMNS: Final[tuple[TableColumn[RankItem], ...]] = (
    TableColumn(
        "rank",
        RANK,
        lambda item, texts: [(f"{item.number}", "strong")],
        4,
        align="right",
    ),
    TableColumn(
        "node", message("rank-column.node", "Node"), lambda item, texts: [(item.rank.node, "text")], 10
    ),
    TableColumn(
        "phase",
        message("rank-column.phase", "phase"),
        lambda item, texts: [mark("phase", phase(item.rank), texts)],
        11,
    ),
    TableColumn("total", message("rank-column.total", "s/step"), _total, 6, align="right", order=1),
    TableColumn("data", message("rank-column.data", "data"), _data, 5, align="right", order=1),
    TableColumn("comm", message("rank-column.comm", "comm"), _communication, 5, align="right", order=1),
)


def empty(state: FleetState, texts: Texts) -> list[Spans]:
    """Return what the monitor shows without a run."""
    keys = [("u", "run.empty_up"), ("3", "run.empty_deploy"), ("5", "run.empty_runs")]
    lines: list[Spans] = [[], [(texts("run.empty_title"), "title")], [], [(texts("run.empty"), "text")], []]
    return lines + [[(f"  {key} ", "key"), (texts(text), "text")] for key, text in keys]
