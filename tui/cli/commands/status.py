"""``dtui status``: the live status of a run and its ranks, or all runs of the project."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from msgspec import to_builtins

from agent.wire.message import Message, message, to_data
from fleet.terminal import one_line
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.columns import TextColumn, table
from tui.cli.errors import error_data
from tui.cli.exits import DONE, FAILED
from tui.cli.options import add_inventory_options, add_run_argument, home_of, inventory_of
from tui.cli.output import indented, out, write_json
from tui.cli.subparsers import Subparsers
from tui.i18n import label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.wire.runs import RankStatus
    from fleet.events import Event, Notice
    from fleet.inventory import Inventory
    from fleet.metrics_record import MetricsRecord
    from fleet.runs import NodeRuns, RunSummary
    from fleet.telemetry import LoadSummary
    from tui.i18n import Texts


def _outcome(summary: RunSummary, texts: Texts) -> str:
    from tui.cli.runs import outcome_label

    return texts.translate(outcome_label(summary.finished.outcome if summary.finished else None))


#: The columns of ``--all``.
COLUMNS: Final[tuple[TextColumn[RunSummary], ...]] = (
    TextColumn(message("status-table.run", "run"), lambda summary, texts: summary.run),
    TextColumn(
        message("status-table.world-size", "world size"),
        lambda summary, texts: str(summary.plan.world_size),
        right=True,
    ),
    TextColumn(message("status-table.outcome", "outcome"), _outcome),
)


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("status", help=message("help.status", "show the live status of a run"))
    add_run_argument(parser)
    parser.add_argument(
        "--all", action="store_true", help=message("help.status.all", "list all runs of the project instead")
    )
    parser.add_argument(
        "--json", action="store_true", help=message("help.status.json", "print one JSON object")
    )
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Ask every node of the run; 1 when the run failed or a node does not answer."""
    from fleet.runs import RunStore, find_runs, node_runs
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_request
    from tui.rendering.load_words import all_words

    inventory, texts = inventory_of(args), texts_of(args)
    if args.all and args.json:
        write_json({"runs": [_run_record(summary) for summary in find_runs(home_of(inventory))]})
        return DONE
    if args.all:
        summaries = list(find_runs(home_of(inventory)))
        for line in table(COLUMNS, summaries, texts) if summaries else ():
            out(line)
        return DONE
    chosen = chosen_run(home_of(inventory), args.run)
    members = {part.node for part in chosen.plan.nodes}
    nodes = [node for node in inventory.nodes if node.name in members]
    answers = run_request(inventory, texts, lambda fleet: node_runs(fleet, chosen.run, nodes))
    finished = chosen.finished
    load = _load(inventory, chosen.run)
    recorded = list(RunStore(home_of(inventory), chosen.run).summary())
    figures, stall = run_figures(recorded), None if finished else last_stall(recorded)
    if args.json:
        write_json(
            {
                "run": chosen.run,
                "outcome": finished.outcome if finished else None,
                "progress": None if figures is None else to_builtins(figures),
                "stall": None if stall is None else {"at": stall.at, "text": to_data(stall.text)},
                "load": _load_record(load),
                "nodes": [
                    {
                        "node": answer.node,
                        "runs": answer.runs,
                        "error": error_data(answer.error) if answer.error else None,
                    }
                    for answer in answers
                ],
            }
        )
    else:
        out(indented(texts.capitalized(_summary(chosen))))
        if figures is not None and (progress := _progress(figures)) is not None:
            out(f"  {texts.translate(progress)}")
        if stall is not None:
            out(one_line(f"  {texts.translate(_stall_line(stall))}"))
        if words := all_words(load, texts):
            out(f"  {texts('runs.load').lower()}: {'; '.join(words)}")
        for answer in answers:
            for line in _lines(answer, texts):
                out(one_line(line))
    failed = any(answer.error for answer in answers) or (
        finished is not None and finished.outcome == "failed"
    )
    states = {entry["state"] for answer in answers for entry in answer.runs}
    return FAILED if failed or states & {"failed", "lost"} else DONE


def _run_record(run: RunSummary) -> dict[str, str | int | None]:
    outcome = run.finished.outcome if run.finished else None
    return {"run": run.run, "world_size": run.plan.world_size, "outcome": outcome}


def run_figures(events: Iterable[Event]) -> MetricsRecord | None:
    """Return the newest figures of the lowest rank that has reported any: those that the console shows."""
    from fleet.events import RunPlanned
    from fleet.state import RunState

    run: RunState | None = None
    for event in events:
        if isinstance(event, RunPlanned):
            run = RunState.planned_by(event)
        elif run is not None:
            run = run.after(event)
    return None if run is None else run.leader


def last_stall(events: Iterable[Event]) -> Notice | None:
    """Return the newest report that a run makes no progress; None when it has made some since."""
    from fleet.events import MetricsSeen, Notice, RankPhase
    from fleet.runs.stalls import is_stall

    found: Notice | None = None
    for event in events:
        if isinstance(event, Notice) and is_stall(event):
            found = event
        elif found is not None and isinstance(event, MetricsSeen | RankPhase) and event.at > found.at:
            found = None
    return found


def _stall_line(stall: Notice) -> Message:
    from tui.rendering.units import local_time

    clock = local_time(stall.at, "%H:%M:%S")
    return message("run-status.stall", "at {time}: {text}", time=clock, text=stall.text)


def _progress(figures: MetricsRecord) -> Message | None:
    """Return ``step 120/1000, loss 0.3, 5 min left``; None for a record without any of them."""
    from tui.rendering.units import number
    from tui.views.run import epochs_of, steps_of

    parts = []
    if (epochs := epochs_of(figures)) is not None:
        parts.append(message("run-status.epoch", "epoch {epoch}", epoch=epochs))
    if figures.step is not None:
        parts.append(message("run-status.step", "step {step}", step=steps_of(figures)))
    if figures.loss is not None:
        parts.append(message("run-status.loss", "loss {loss}", loss=number(figures.loss)))
    if figures.eta is not None:
        parts.append(message("run-status.left", "{seconds:duration} left", seconds=figures.eta))
    return message("run-status.progress", "{figures:, }", figures=parts) if parts else None


def _load(inventory: Inventory, run: str) -> LoadSummary:
    """Return the summary of the run's load, from what consoles have recorded."""
    from fleet.runs import RunStore
    from fleet.telemetry import Meter, load_settings, read_tallies
    from fleet.telemetry.settings import DEFAULT_FILE

    store = RunStore(home_of(inventory), run)
    meter = Meter(load_settings(inventory.project / DEFAULT_FILE), lambda _: read_tallies(store.folder))
    return meter.add_all(store.summary()).summary(run)


def _load_record(load: LoadSummary) -> dict[str, Any]:
    slow = load.straggler
    return {
        "bound": load.bottleneck.kind,
        "data": load.bottleneck.data,
        "communication": load.bottleneck.communication,
        "straggler": None if slow is None else {"rank": slow.rank, "reason": slow.reason},
        "training": load.training,
        "joules": load.joules,
        "cost": load.cost,
        "currency": load.currency,
    }


def _lines(answer: NodeRuns, texts: Texts) -> list[str]:
    if answer.error:
        return [f"  {answer.node}: {texts.translate(answer.error.what)}"]
    if not answer.runs:
        missing = message("run-status.no-record", "no record of this run on this node")
        return [f"  {answer.node}: {texts.translate(missing)}"]
    entry = answer.runs[0]
    ranks = (f"    {texts.translate(_rank(rank))}" for rank in entry["ranks"])
    return [f"  {answer.node}: {texts.word('outcome', entry['state'])}", *ranks]


def _summary(run: RunSummary) -> Message:
    size, finished = run.plan.world_size, run.finished
    if finished is None:
        return message("run-status.run", "run {run}, world size {size}", run=run.run, size=size)
    outcome = label("outcome", finished.outcome)
    if not finished.cause:
        return message(
            "run-status.ended",
            "run {run}, world size {size}: {outcome}",
            run=run.run,
            size=size,
            outcome=outcome,
        )
    return message(
        "run-status.ended-why",
        "run {run}, world size {size}: {outcome}: {why}",
        run=run.run,
        size=size,
        outcome=outcome,
        why=finished.cause,
    )


def _rank(status: RankStatus) -> Message:
    rank, code = status["rank"], status["exit_code"]
    if code is None and status["exited_at"] is not None:
        if status["stopped"]:
            return message("run-status.ended-by-dtui", "rank {rank}: stopped", rank=rank)
        return message("run-status.lost", "rank {rank}: lost, its exit code is unknown", rank=rank)
    if code is None:
        return message("run-status.running", "rank {rank}: running, pid {pid}", rank=rank, pid=status["pid"])
    if status["stopped"]:
        return message("run-status.stopped", "rank {rank}: exited with {code}, stopped", rank=rank, code=code)
    return message("run-status.exited", "rank {rank}: exited with {code}", rank=rank, code=code)
