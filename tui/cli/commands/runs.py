"""``dtui runs``: the runs recorded on the master, their size, and the deletion of old ones."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING, Final, TypedDict

from agent.wire.message import message, to_data
from agent.wire.units import byte_size
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.columns import TextColumn, table
from tui.cli.errors import failure_text
from tui.cli.exits import DONE, FAILED, UsageError
from tui.cli.options import add_inventory_options, home_of, inventory_of
from tui.cli.output import ask_yes, err, is_terminal, out, write_json
from tui.cli.subparsers import Subparsers
from tui.rendering.units import local_time

if TYPE_CHECKING:
    from pathlib import Path

    from fleet.fleet import Fleet
    from fleet.inventory import Inventory
    from fleet.runs import RunSummary
    from fleet.runs.prune import KeptRun, NodeSpace, Pruned, Survey
    from tui.i18n import Texts

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class RunRow(TypedDict):
    """A run in the list: times are Unix seconds, sizes bytes."""

    run: str
    started: float | None
    finished: float | None
    outcome: str | None
    bytes: int
    nodes: dict[str, int]


def _start(row: RunRow, texts: Texts) -> str:
    return local_time(row["started"], "%Y-%m-%d %H:%M") if row["started"] else "-"


def _duration(row: RunRow, texts: Texts) -> str:
    started, finished = row["started"], row["finished"]
    return texts.duration(finished - started) if started and finished else "-"


def _outcome(row: RunRow, texts: Texts) -> str:
    from tui.cli.runs import outcome_label

    return texts.translate(outcome_label(row["outcome"]))


def _on_nodes(row: RunRow, texts: Texts) -> str:
    return ", ".join(f"{node} {byte_size(count)}" for node, count in row["nodes"].items())


COLUMNS: Final[tuple[TextColumn[RunRow], ...]] = (
    TextColumn(message("runs-table.run", "run"), lambda row, texts: row["run"]),
    TextColumn(message("runs-table.started", "started"), _start),
    TextColumn(message("runs-table.duration", "duration"), _duration, right=True),
    TextColumn(message("runs-table.outcome", "outcome"), _outcome),
    TextColumn(message("runs-table.size", "size"), lambda row, texts: byte_size(row["bytes"]), right=True),
    TextColumn(message("runs-table.nodes", "on nodes"), _on_nodes),
)


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "runs", help=message("help.runs", "list the recorded runs and their size, or delete old ones")
    )
    parser.add_argument("run", nargs="*", help=message("help.runs.run", "only these runs"))
    parser.add_argument(
        "--nodes",
        action="store_true",
        help=message("help.runs.nodes", "also show each run's size on the nodes"),
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help=message(
            "help.runs.prune", "delete runs here and on their nodes, except for checkpoints/ and logs/"
        ),
    )
    parser.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help=message("help.runs.older-than", "with --prune: runs that ended longer ago (30d, 12h, 2w)"),
    )
    parser.add_argument(
        "--keep",
        type=_count,
        metavar="N",
        help=message("help.runs.keep", "with --prune: all runs but the newest N"),
    )
    parser.add_argument(
        "--yes", action="store_true", help=message("help.runs.yes", "with --prune: delete without asking")
    )
    parser.add_argument(
        "--json", action="store_true", help=message("help.runs.json", "print one JSON object")
    )
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """List or delete; 1 when a node did not answer or a run could not be deleted everywhere."""
    from fleet.runs import find_runs

    if not args.prune and (args.older_than is not None or args.keep is not None or args.yes):
        raise UsageError(message("cli.prune-options", "--older-than, --keep and --yes require --prune"))
    inventory = inventory_of(args)
    home = home_of(inventory)
    runs = find_runs(home)
    unknown = sorted(set(args.run) - {summary.run for summary in runs})
    if unknown:
        raise UsageError(
            message("cli.unknown-runs", "no such run: {runs}", runs=unknown),
            message("cli.unknown-runs.remedy", "list the runs with `dtui runs`"),
        )
    if args.prune:
        return _prune(args, inventory, _chosen(args, home, runs))
    return _list(args, inventory, [summary for summary in runs if not args.run or summary.run in args.run])


def _chosen(args: argparse.Namespace, home: Path, runs: tuple[RunSummary, ...]) -> list[RunSummary]:
    """Return the runs to delete; raises UsageError without a choice, or with two."""
    if sum([bool(args.run), args.older_than is not None, args.keep is not None]) != 1:
        raise UsageError(
            message("cli.prune-choice", "--prune needs exactly one choice of runs"),
            message("cli.prune-choice.remedy", "add --older-than AGE, --keep N, or the ids of runs"),
        )
    if args.run:
        return [summary for summary in runs if summary.run in args.run]
    if args.keep is not None:
        return list(runs[: max(0, len(runs) - args.keep)])
    before = time.time() - args.older_than
    return [summary for summary in runs if _last_sign(home, summary) < before]


def _list(args: argparse.Namespace, inventory: Inventory, runs: list[RunSummary]) -> int:
    from fleet.runs.prune import record_size, survey
    from tui.cli.node_errors import errors_by_node, print_errors
    from tui.cli.session import run_request

    home, texts = home_of(inventory), texts_of(args)
    spaces: tuple[NodeSpace, ...] = ()
    if args.nodes and runs:
        spaces = run_request(inventory, texts, lambda fleet: survey(fleet, runs)).nodes
    rows = [
        RunRow(
            run=summary.run,
            started=_started(home, summary),
            finished=summary.finished.at if summary.finished else None,
            outcome=summary.finished.outcome if summary.finished else None,
            bytes=record_size(home, summary.run),
            nodes=_sizes(spaces, summary.run),
        )
        for summary in runs
    ]
    errors = errors_by_node(spaces)
    if args.json:
        write_json({"runs": rows, "errors": errors})
    else:
        _print_table(rows, texts)
        print_errors(spaces, texts)
    return FAILED if errors else DONE


def _print_table(rows: list[RunRow], texts: Texts) -> None:
    for line in table(COLUMNS, rows, texts) if rows else ():
        out(line)


def _prune(args: argparse.Namespace, inventory: Inventory, runs: list[RunSummary]) -> int:
    from tui.cli.session import run_request

    texts = texts_of(args)
    if runs and not args.yes and not is_terminal("stdin"):
        raise UsageError(
            message("cli.prune-no-terminal", "there is no terminal to ask on"),
            message("cli.prune-no-terminal.remedy", "add --yes to delete without asking"),
        )
    if not runs:
        err(texts.sentence(message("cli.nothing-to-prune", "no run to delete")))
        if args.json:
            write_json(_record(None, ()))
        return DONE
    return run_request(inventory, texts, lambda fleet: _prune_on(args, fleet, runs, texts))


async def _prune_on(args: argparse.Namespace, fleet: Fleet, runs: list[RunSummary], texts: Texts) -> int:
    import asyncio

    from fleet.runs.prune import prune, survey

    found = await survey(fleet, runs)
    _print_survey(found, fleet.home, texts)
    done: Pruned | None = None
    if found.runs and (args.yes or await asyncio.to_thread(_agreed, found, texts)):
        done = await prune(fleet, found.runs)
        _print_pruned(done, texts)
    elif found.runs:
        err(texts.sentence(message("cli.nothing-pruned", "nothing was deleted")))
    if args.json:
        write_json(_record(done, found.refused))
    return FAILED if found.refused or (done is not None and done.kept) else DONE


def _print_survey(found: Survey, home: Path, texts: Texts) -> None:
    from fleet.runs.prune import record_size
    from tui.cli.node_errors import print_errors

    wanted = {summary.run for summary in found.runs}
    for summary in found.runs:
        err(f"  {summary.run}  {byte_size(record_size(home, summary.run))}")
    for space in found.nodes:
        if space.error is None:
            count = sum(each["bytes"] for each in space.runs if each["run"] in wanted)
            err(f"  {space.node}: {byte_size(count)}")
    print_errors(found.nodes, texts)
    for kept in found.refused:
        _print_kept(kept, texts)
    if wanted:
        unchanged = message("cli.prune-keeps", "checkpoints/ and logs/ of the project are not deleted")
        err(f"  {texts.sentence(unchanged)}")


def _agreed(found: Survey, texts: Texts) -> bool:
    question = message("cli.prune-ask", "delete {count:n run}?", count=len(found.runs))
    return ask_yes(texts.capitalized(question))


def _print_pruned(done: Pruned, texts: Texts) -> None:
    from tui.cli.narrate import GLYPHS

    for space in done.nodes:
        if space.error is None:
            removed = sum(each["bytes"] for each in space.runs if each["state"] in ("removed", "failed"))
            text = message("cli.pruned-bytes", "{size:bytes} deleted", size=removed)
            err(f"{GLYPHS['ok']} {space.node}: {texts.translate(text)}")
    for kept in done.kept:
        _print_kept(kept, texts)
    err(texts.sentence(message("cli.pruned", "{count:n run} deleted", count=len(done.removed))))


def _print_kept(kept: KeptRun, texts: Texts) -> None:
    from tui.cli.narrate import GLYPHS

    what = message("cli.not-pruned", "run {run} is not deleted: {why}", run=kept.run, why=kept.reason)
    err(f"{GLYPHS['fail']} {failure_text(kept.node, what, kept.remedy, texts)}")


def _record(done: Pruned | None, refused: tuple[KeptRun, ...]) -> dict[str, object]:
    kept = [*refused, *(done.kept if done else ())]
    return {
        "removed": list(done.removed) if done else [],
        "bytes": {space.node: space.size for space in done.nodes if space.error is None} if done else {},
        "kept": [
            {
                "run": one.run,
                "node": one.node or None,
                "reason": to_data(one.reason),
                "remedy": to_data(one.remedy),
            }
            for one in kept
        ],
    }


def _sizes(spaces: tuple[NodeSpace, ...], run: str) -> dict[str, int]:
    return {space.node: each["bytes"] for space in spaces for each in space.runs if each["run"] == run}


def _started(home: Path, summary: RunSummary) -> float | None:
    from fleet.runs import RunStore

    first = RunStore(home, summary.run).first_event()
    return first.at if first is not None and first.at else None


def _last_sign(home: Path, summary: RunSummary) -> float:
    """Return when the run ended, or when its record changed last."""
    from fleet.runs import RunStore

    if summary.finished is not None:
        return summary.finished.at
    try:
        return RunStore(home, summary.run).events_file.stat().st_mtime
    except OSError:
        return _started(home, summary) or 0.0


def _age(word: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([mhdw])", word)
    if not match:
        raise UsageError(
            message("cli.bad-age", "--older-than: {word!r} is not an age such as 30d, 12h or 2w", word=word)
        )
    return int(match[1]) * _UNITS[match[2]]


def _count(word: str) -> int:
    if not re.fullmatch(r"\d{1,6}", word):
        raise UsageError(message("cli.bad-count", "--keep: {word!r} is not a number of runs", word=word))
    return int(word)
