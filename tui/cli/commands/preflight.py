"""``dtui preflight``: will a run start?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from fleet.inventory import Inventory
    from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser(
        "preflight",
        help="check every node and every way between nodes: will a run start?",
        description="Looks at reach, ports, machines and, once deployed, environments. Prints each result on "
        "stderr as it comes and a table on stdout at the end.",
    )
    add_inventory_options(parser)
    group = parser.add_argument_group("checks")
    group.add_argument(
        "--check", action="append", metavar="NAME", help="only this check or group (repeat for more)"
    )
    group.add_argument(
        "--network", action="store_true", help="measure every pair's latency and bandwidth, too"
    )
    group.add_argument("--list", action="store_true", help="list the checks and why each matters")
    group.add_argument("--pairs", action="store_true", help="print the matrix of ways between nodes")
    group.add_argument("--fix", action="store_true", help="offer to mend what dtui can, one by one")
    group.add_argument("--port", type=int, help="port of the rendezvous on the master (default: 29500)")
    group.add_argument("--cpu", action="store_true", help="for training on the CPU even where there are GPUs")
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run the checks, print each result, mend what a person agrees to."""
    from collections.abc import AsyncGenerator

    from fleet.events import Event
    from fleet.fleet import Fleet
    from fleet.preflight import GROUPS, PreflightOptions, checks_for, preflight
    from fleet.preflight.catalog import select
    from tui.cli.exits import DONE
    from tui.cli.options import inventory_of, selected, texts_of
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

    async def look(fleet: Fleet) -> AsyncGenerator[Event, None]:
        async for event in preflight(fleet, nodes, options):
            results.take(event)
            yield event
        if args.fix:
            from fleet.preflight.mend import offer
            from tui.cli.fixing import asker

            async for event in offer(fleet, nodes, results.troubles, options, asker(texts)):
                results.take(event)
                yield event

    status = run_operation(inventory, make_printer(json=args.json, texts=texts, every_check=True), look)
    if not args.json:
        print(results.table(_order(inventory), texts))
        if args.pairs:
            print()
            print(results.matrix())
    # What a fix has mended is no failure any more.
    return DONE if args.fix and not results.failures else status


def _order(inventory: Inventory) -> list[str]:
    from fleet.preflight import columns

    return [column.name for column in columns(inventory.run.port)]


def _list(texts: Texts) -> int:
    from fleet.preflight import columns
    from tui.cli.exits import DONE

    for column in columns():
        print(f"{column.group:12} {column.name:17} {texts.said(column.why)}")
    return DONE
