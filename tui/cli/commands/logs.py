"""``dtui logs``: what the ranks of a run print, from the first byte on."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.exits import UsageError
from tui.cli.options import add_inventory_options, add_run_argument, home_of, inventory_of
from tui.cli.output import is_terminal
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("logs", help=message("help.logs", "print the output of the ranks"))
    add_run_argument(parser)
    parser.add_argument(
        "--follow", "-f", action="store_true", help=message("help.logs.follow", "follow until the run ends")
    )
    parser.add_argument(
        "--rank",
        type=int,
        action="append",
        help=message("help.logs.rank", "only this rank (may be repeated)"),
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help=message("help.logs.raw", "copy the bytes of one rank to a file or pipe unchanged"),
    )
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the recording, then with --follow new output; fails if the run failed."""
    from fleet.events import Event, LogChunk
    from fleet.fleet import Fleet
    from fleet.runs import follow, read_logs
    from tui.cli.printers import make_printer
    from tui.cli.printing import Printer, RawPrinter
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_operation
    from tui.operations.run_controller import controller_keeper

    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.run)
    ranks = set(args.rank or range(chosen.plan.world_size))
    if args.raw:
        if args.json:
            raise UsageError(message("cli.raw-json", "--raw and --json exclude each other: choose one"))
        if is_terminal("stdout"):
            raise UsageError(
                message(
                    "cli.raw-terminal",
                    "--raw also copies control sequences, which can change this terminal",
                ),
                message(
                    "cli.raw-terminal.remedy",
                    "redirect it to a file (dtui logs --raw --rank 0 > rank0.log), or omit --raw",
                ),
            )
        if len(ranks) != 1:
            raise UsageError(
                message("cli.raw-ranks", "--raw copies the log of one rank"),
                message("cli.raw-ranks.remedy", "name one, such as --rank 0"),
            )
    to_the_end = args.follow or chosen.finished is not None

    async def wanted(fleet: Fleet) -> AsyncGenerator[Event, None]:
        source = (
            follow(fleet, chosen.run, keeper=controller_keeper())
            if to_the_end
            else read_logs(fleet, chosen.run)
        )
        async with aclosing(source) as events:
            async for event in events:
                if not isinstance(event, LogChunk) or event.rank in ranks:
                    yield event

    texts = texts_of(args)
    printer: Printer = RawPrinter(texts=texts) if args.raw else make_printer(json=args.json, texts=texts)
    return run_operation(inventory, printer, wanted)
