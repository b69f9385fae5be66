"""``dtui replay``: a recorded run's events again, without any node."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from fleet.inventory import load_inventory
from tui.cli.basic_options import add_output_options, add_project_option, texts_of
from tui.cli.options import add_run_argument
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "replay", help=message("help.replay", "print a recorded run's events again")
    )
    add_run_argument(parser)
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help=message("help.replay.inventory", "inventory file of the project"),
    )
    add_project_option(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the recording as the run itself was printed."""
    from fleet.runs import RunStore
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import Tally

    project = args.project or (load_inventory(args.inventory).project if args.inventory else Path())
    home = project.resolve() / ".dtui"
    chosen = chosen_run(home, args.run)
    tally = Tally()
    with make_printer(json=args.json, texts=texts_of(args)) as printer:
        for event in RunStore(home, chosen.run).events():
            tally.count(event)
            printer.emit(event)
    return tally.status
