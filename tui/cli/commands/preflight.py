"""``dtui preflight``: will a run start?"""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser("preflight", help="check every node: reach, login, Python, agent")
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run the checks and print each result."""
    from fleet.preflight import preflight
    from tui.cli.options import inventory_of, selected
    from tui.cli.printing import make_printer
    from tui.cli.session import run_operation

    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    return run_operation(inventory, make_printer(json=args.json), lambda fleet: preflight(fleet, nodes))
