"""``dtui preflight``: checks that a run can start."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.exits import DONE
from tui.cli.options import add_inventory_options, inventory_of, selected
from tui.cli.output import out
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "preflight",
        help=message("help.preflight", "check every node and every connection: can a run start?"),
        description=message(
            "help.preflight.text",
            "checks connections, ports, machines and, after a deploy, environments. Each result is printed "
            "on stderr at once, a table on stdout at the end",
        ),
    )
    add_inventory_options(parser)
    group = parser.add_argument_group(message("help.group.checks", "checks"))
    group.add_argument(
        "--check",
        action="append",
        metavar="NAME",
        help=message("help.preflight.check", "only this check or group (may be repeated)"),
    )
    group.add_argument(
        "--network",
        action="store_true",
        help=message("help.preflight.network", "also measure latency and bandwidth of every pair of nodes"),
    )
    group.add_argument(
        "--list",
        action="store_true",
        help=message("help.preflight.list", "list the checks and why each matters"),
    )
    group.add_argument(
        "--pairs",
        action="store_true",
        help=message("help.preflight.pairs", "print the matrix of connections between nodes"),
    )
    group.add_argument(
        "--fix",
        action="store_true",
        help=message("help.preflight.fix", "offer the fixes that dtui can apply, one by one"),
    )
    group.add_argument(
        "--port",
        type=int,
        help=message("help.preflight.port", "rendezvous port on the master (default: 29500)"),
    )
    group.add_argument(
        "--cpu",
        action="store_true",
        help=message("help.preflight.cpu", "check for training on the CPU, even on nodes with GPUs"),
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run the checks, print each result, and apply the fixes that the user agrees to."""
    from fleet.events import Event
    from fleet.fleet import Fleet
    from fleet.preflight import GROUPS, PreflightOptions, checks_for, columns, preflight
    from fleet.preflight.catalog import select
    from tui.cli.preflight_table import Results
    from tui.cli.printers import make_printer
    from tui.cli.session import run_operation

    texts = texts_of(args)
    if args.list:
        return _list(texts)
    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    wanted = args.check or [group for group in GROUPS if group != "network"]
    if args.network:
        wanted = [*wanted, "network"]
    select(checks_for(inventory.run.port), wanted)
    options = PreflightOptions(checks=tuple(wanted), cpu=args.cpu)
    results = Results([node.name for node in nodes])

    async def operation(fleet: Fleet) -> AsyncGenerator[Event, None]:
        async for event in preflight(fleet, nodes, options):
            results.add(event)
            yield event
        if args.fix:
            from fleet.preflight.fix_runner import offer_fixes
            from tui.cli.fixing import asker

            async for event in offer_fixes(fleet, nodes, results.troubles, options, asker(texts)):
                results.add(event)
                yield event

    status = run_operation(inventory, make_printer(json=args.json, texts=texts, every_check=True), operation)
    if not args.json:
        order = [column.name for column in columns(inventory.run.port)]
        out(results.table(order, texts))
        if args.pairs:
            out()
            out(results.matrix(texts))
    # A check that passes after a fix is not a failure any more.
    return DONE if args.fix and not results.failures else status


def _list(texts: Texts) -> int:
    from fleet.preflight import columns

    for column in columns():
        out(f"{column.group:12} {column.name:17} {texts.translate(column.why)}")
    return DONE
