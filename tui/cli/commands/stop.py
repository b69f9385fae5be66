"""``dtui stop``: ends a run on all its nodes, and verifies that its processes have ended."""

from __future__ import annotations

import argparse

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.options import add_inventory_options, home_of, inventory_of
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "stop", help=message("help.stop", "stop a run, after it has saved a checkpoint")
    )
    parser.add_argument(
        "run",
        nargs="?",
        help=message("help.stop.run", "id of the run (default: the newest that has not ended)"),
    )
    parser.add_argument(
        "--grace",
        type=float,
        metavar="SECONDS",
        help=message("help.stop.grace", "time to save a checkpoint (default: 30; 0: none)"),
    )
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Ask the ranks to stop, end those that do not, and print what was ended on which node."""
    from fleet.runs import stop
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_operation

    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.run, live=True)
    return run_operation(
        inventory,
        make_printer(json=args.json, texts=texts_of(args)),
        lambda fleet: stop(fleet, chosen.run, grace=args.grace),
    )
