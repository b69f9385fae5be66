"""``dtui diagnose``: the cause of a failure in the recording of a run, or in any log."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.wire.message import message, to_data
from agent.wire.reasons import reason_of
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.exits import DONE, UsageError
from tui.cli.options import add_inventory_options, home_of, inventory_of
from tui.cli.output import out, write_json
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet.diagnose import Report, Rule
    from tui.i18n import Texts

_LINE_SHOWN = 300


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "diagnose", help=message("help.diagnose", "explain a failure, of a run or in any log")
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="RUN|FILE",
        help=message(
            "help.diagnose.what",
            "id of a run (default: the newest), or log files; several are several ranks",
        ),
    )
    parser.add_argument(
        "--exit-code",
        type=int,
        help=message("help.diagnose.exit-code", "how the program of the files ended (-9 for signal 9)"),
    )
    parser.add_argument(
        "--platform",
        choices=("windows", "linux"),
        help=message("help.diagnose.platform", "where the files are from (default: found in their text)"),
    )
    parser.add_argument(
        "--kind",
        choices=("run", "uv", "ssh", "winrm"),
        default="run",
        help=message("help.diagnose.kind", "what wrote the files: a program, uv or pip, ssh, or WinRM"),
    )
    parser.add_argument(
        "--json", action="store_true", help=message("help.diagnose.json", "print one JSON object")
    )
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print what is known; without a known cause that is the exception and its place."""
    report = _of_files(args) if _names_files(args.what) else _of_run(args)
    if args.json:
        write_json(_as_data(report))
    else:
        for line in _lines(report, texts_of(args)):
            out(line)
    return DONE


def _names_files(what: list[str]) -> bool:
    return len(what) > 1 or any(Path(name).is_file() for name in what) or any("/" in name for name in what)


def _of_files(args: argparse.Namespace) -> Report:
    from fleet.diagnose.sources import diagnose_files

    project = Path.cwd()
    paths = [Path(name) for name in args.what]
    try:
        return diagnose_files(
            paths, _rules(project), kind=args.kind, system=args.platform, exit_code=args.exit_code
        )
    except OSError as error:
        raise UsageError(
            message("cli.log-unreadable", "a log cannot be read: {reason}", reason=reason_of(error)),
            message("cli.log-unreadable.remedy", "name the id of a run, or files that exist"),
        ) from None


def _of_run(args: argparse.Namespace) -> Report:
    from fleet.diagnose import contexts_of
    from fleet.diagnose.sources import diagnose_recording
    from fleet.runs.store import RunStore
    from tui.cli.runs import chosen_run

    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.what[0] if args.what else None)
    store = RunStore(home_of(inventory), chosen.run)
    return diagnose_recording(store.events(), contexts_of(chosen.plan), _rules(inventory.project))


def _rules(project: Path) -> tuple[Rule, ...]:
    from fleet.diagnose import load_rules

    return load_rules(project)


def _lines(report: Report, texts: Texts) -> Iterator[str]:
    found = report.found
    if report.exception:
        said = message(
            "diagnose.exception", "exception: {exception}", exception=report.exception[:_LINE_SHOWN]
        )
        yield texts.translate(said)
    if report.place:
        place = message(
            "diagnose.place", "at {place} in {function}", place=report.place, function=report.function
        )
        yield texts.translate(place)
    if report.rank is not None:
        yield texts.translate(message("diagnose.rank", "rank: {rank}", rank=report.rank))
    if found is None:
        nothing = message("diagnose.unknown", "the cause is not known")
        yield texts.translate(nothing)
    else:
        likely = message("diagnose.likely", "likely cause: {cause}", cause=found.cause)
        certain = message("diagnose.cause", "cause: {cause}", cause=found.cause)
        yield texts.translate(likely if found.confidence == "likely" else certain)
        if found.line and found.line != report.exception:
            yield texts.translate(message("diagnose.line", "line: {line}", line=found.line[:_LINE_SHOWN]))
    for step in report.next:
        yield texts.translate(message("diagnose.next", "next: {step}", step=step))


def _as_data(report: Report) -> dict[str, object]:
    found = report.found
    return {
        "cause": to_data(found.cause) if found is not None else None,
        "rule": found.signature if found is not None else None,
        "confidence": found.confidence if found is not None else None,
        "line": found.line if found is not None else "",
        "exception": report.exception,
        "place": report.place,
        "function": report.function,
        "rank": report.rank,
        "next": [to_data(step) for step in report.next],
        "quoted": list(report.quoted),
    }
