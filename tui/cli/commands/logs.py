"""``dtui logs``: what the ranks of a run print, from the first byte on."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser("logs", help="print the ranks' output")
    parser.add_argument("run", nargs="?", help="id of the run (default: the newest)")
    parser.add_argument("--follow", "-f", action="store_true", help="go on until the run ends")
    parser.add_argument("--rank", type=int, action="append", help="only this rank (may be repeated)")
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print what was recorded, then, with --follow, what comes; a run's failure is this command's too."""
    from collections.abc import AsyncGenerator
    from contextlib import aclosing

    from fleet.events import Event, LogChunk
    from fleet.fleet import Fleet
    from fleet.runs import read_logs, watch
    from tui.cli.options import home_of, inventory_of, texts_of
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_operation

    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.run)
    ranks = set(args.rank or range(chosen.plan.world_size))
    to_the_end = args.follow or chosen.finished is not None

    async def wanted(fleet: Fleet) -> AsyncGenerator[Event, None]:
        source = watch(fleet, chosen.run) if to_the_end else read_logs(fleet, chosen.run)
        async with aclosing(source) as events:
            async for event in events:
                if not isinstance(event, LogChunk) or event.rank in ranks:
                    yield event

    return run_operation(inventory, make_printer(json=args.json, texts=texts_of(args)), wanted)
