"""``dtui stop``: end a run on all its nodes, and make sure that its processes are gone."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser("stop", help="end a run, saving a checkpoint first")
    parser.add_argument("run", nargs="?", help="id of the run (default: the newest that has not ended)")
    parser.add_argument(
        "--grace", type=float, metavar="SECONDS", help="time for a checkpoint (default: 30; 0 ends at once)"
    )
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Ask the ranks to stop, end those that do not, tell what was ended where."""
    from fleet.runs import stop
    from tui.cli.options import home_of, inventory_of, texts_of
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
