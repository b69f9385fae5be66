"""A run: its header line, its ranks, its figures."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from fleet.state import FleetState, RankState, RunState
from tui.i18n import Texts
from tui.status import glyph, mark
from tui.units import duration, number
from tui.views.plot import plot
from tui.widgets.paint import Span, Spans, fit, width_of, wrap

#: A rank whose step takes so much longer than the median of all is called a straggler.
STRAGGLER = 1.15
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
    if rank.code is None:
        return rank.phase
    return "failed" if rank.failed else "stopped" if rank.stopped else "done"


def header(run: RunState, texts: Texts, now: float, width: int, lights: Spans = ()) -> list[Span]:
    """Return the run in one line: state, elapsed, ranks, step, loss, left, lights; what does not fit goes."""
    up = sum(rank.alive for rank in run.ranks.values())
    figures = run.leader
    spans: list[Span] = [mark("outcome", outcome(run), texts), ("  ", "text"), (run.id, "strong")]
    if run.active and run.phase != "training":
        spans += [("  ", "text"), mark("phase", run.phase, texts)]
    spans.append((f"  {duration((run.finished or now) - run.planned)}", "text"))
    style = "text" if up == run.plan.world_size or not run.active else "warn"
    spans.append((f"  {texts('run.ranks_up', up=up, total=run.plan.world_size)}", style))
    if figures:
        spans.append((f"  {texts('run.step')} {_step(figures.get('step'), figures.get('steps'))}", "text"))
        spans.append((f"  {texts('run.loss')} {number(figures.get('loss'))}", "text"))
        if run.active and figures.get("eta_s") is not None:
            spans.append((f"  {texts('run.left')} {duration(figures['eta_s'])}", "text"))
    if run.active and width_of(spans) + width_of(lights) + 3 <= width:
        spans += [("   ", "text"), *lights]
    while len(spans) > 3 and width_of(spans) > width:
        spans.pop()
    return spans


def _step(step: object, steps: object) -> str:
    return f"{step}/{steps}" if steps else f"{step}"


def ending(run: RunState, texts: Texts, width: int) -> list[Spans]:
    """Return why a run failed and what to do, in as many lines as it takes; empty for one that did not."""
    if not run.cause and not run.remedy:
        return []
    sign, style = glyph("outcome", outcome(run))
    lines: list[Spans] = [[(text, style)] for text in wrap(f"{sign} {texts.said(run.cause)}", width)]
    if run.remedy:
        lines += [[(text, "text")] for text in wrap(f"→ {texts.said(run.remedy)}", width)]
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
    # The curve takes what the rest leaves; where that is little, the empty lines go first.
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
    if not record:
        return [[(texts("run.no_metrics"), "muted")]]
    pairs = [
        (texts("run.step"), _step(record.get("step"), record.get("steps"))),
        (texts("run.loss"), number(record.get("loss"))),
        (texts("run.samples"), f"{number(record.get('samples_s'))}/s"),
        (texts("run.lr"), number(record.get("lr"), 3)),
        (texts("run.step_time"), f"{number(record.get('step_time'), 3)} s"),
        (texts("run.left"), duration(record.get("eta_s") if run.active else None)),
    ]
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
    """Return one line a rank: number, node, phase and where the time of a step goes.

    A slow rank's mark is explained below them, unless that is done elsewhere.
    """
    pace = [median(rank.pace[-10:]) for rank in run.ranks.values() if rank.pace]
    usual = median(pace) if pace else None
    wide = width >= 44
    head = f"{texts('run.rank'):>4} {fit(texts('nodes.column.node'), 10)} {fit(texts('run.phase'), 11)}"
    for key, room in (("total", 6), ("data", 5), ("comm", 5)) if wide else ():
        head += " " + fit(texts(f"run.{key}"), room, "right")
    lines: list[Spans] = [[(head, "head")]]
    for number_, rank in sorted(run.ranks.items()):
        lines.append(_rank_line(number_, rank, texts, usual, wide, now, run.active))
    if not explained and wide and run.active and any(straggles(rank, usual) for rank in run.ranks.values()):
        lines.append([(f"   ▲ {texts('run.slow')}", "warn")])
    return lines


def straggles(rank: RankState, usual: float | None) -> bool:
    """Return whether the rank's steps take clearly longer than is usual in the run."""
    return bool(rank.pace and usual and median(rank.pace[-10:]) > usual * STRAGGLER)


def _rank_line(
    number_: int, rank: RankState, texts: Texts, usual: float | None, wide: bool, now: float, active: bool
) -> Spans:
    state, style = mark("phase", phase(rank), texts)
    line: list[Span] = [
        (f"{number_:>4} ", "strong"),
        (fit(rank.node, 10) + " ", "text"),
        (fit(state, 11), style),
    ]
    if rank.code:
        line.append((f" {texts('run.exit', code=rank.code)}", "fail" if rank.failed else "muted"))
    elif wide and rank.step:
        slow = straggles(rank, usual)
        for key, room in (("step_time", 6), ("data_time", 5), ("comm_time", 5)):
            value = rank.step.get(key)
            text = "–" if value is None else f"{value:.2f}"
            late = slow and key == "step_time"
            line.append((f" {f'▲{text}' if late else text:>{room}}", "warn" if late else "text"))
    if active and rank.alive and rank.heard is not None and now - rank.heard > 60:
        line.append((f" {texts('run.silent', time=duration(now - rank.heard))}", "warn"))
    return line


def empty(state: FleetState, texts: Texts) -> list[Spans]:
    """Return what the monitor says while there is no run."""
    keys = [("u", "run.empty_up"), ("3", "run.empty_deploy"), ("5", "run.empty_runs")]
    lines: list[Spans] = [[], [(texts("run.empty_title"), "title")], [], [(texts("run.empty"), "text")], []]
    return lines + [[(f"  {key} ", "key"), (texts(text), "text")] for key, text in keys]
