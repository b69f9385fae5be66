"""``dtui replay``: a recorded run's events again, without any node."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_output_options

    parser = subparsers.add_parser("replay", help="print a recorded run's events again")
    parser.add_argument("run", nargs="?", help="id of the run (default: the newest)")
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="inventory file of the project")
    parser.add_argument("--project", type=Path, metavar="DIR", help="project folder on this machine")
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the recording as the run itself was printed."""
    from fleet.inventory import load_inventory
    from fleet.runs import RunStore, replay
    from tui.cli.options import texts_of
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import Tally

    project = args.project or (load_inventory(args.inventory).project if args.inventory else Path())
    home = project.resolve() / ".dtui"
    chosen = chosen_run(home, args.run)
    tally = Tally()
    with make_printer(json=args.json, texts=texts_of(args)) as printer:
        for event in replay(RunStore(home, chosen.run).events_file):
            tally.count(event)
            printer.emit(event)
    return tally.status
