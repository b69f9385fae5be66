"""``dtui gpu``: the load of every GPU, of the fleet or of this machine alone, once or as it changes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet.events import Event
    from fleet.fleet import Fleet
    from fleet.inventory import Inventory
    from tui.cli.printing import Printer

#: Rates need two looks; so long apart when only one answer is wanted.
_GLANCE = 0.5


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser(
        "gpu",
        help="show the load of every GPU",
        description="The load of the inventory's GPUs; of this machine alone when there is no inventory.",
    )
    add_inventory_options(parser)
    parser.add_argument("--local", action="store_true", help="only this machine, whatever the inventory says")
    parser.add_argument("--watch", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between samples")
    parser.add_argument(
        "--prometheus", type=int, metavar="PORT", help="with --watch: serve /metrics on 127.0.0.1:PORT"
    )
    parser.add_argument(
        "--export", choices=("csv", "json"), help="write what was kept of a run to stdout instead"
    )
    parser.add_argument("--run", metavar="RUN", help="with --export: which run (default: the newest)")
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print samples as a table, redraw it while watching, or print them as JSON lines."""
    from tui.cli.exits import UsageError
    from tui.cli.printing import JsonPrinter
    from tui.cli.session import run_operation

    if args.export:
        return _export(args)
    if args.prometheus is not None and not args.watch:
        raise UsageError("--prometheus serves while somebody watches: add --watch")
    if not 0.1 <= args.interval <= 3600:
        raise UsageError("--interval must be between 0.1 and 3600 seconds")
    inventory = _inventory(args)
    nodes = inventory.nodes if args.local else _selected(inventory, args)

    async def look(fleet: Fleet) -> AsyncGenerator[Event, None]:
        from contextlib import AsyncExitStack, aclosing

        from fleet.events import TelemetrySampled
        from fleet.telemetry import watch
        from fleet.telemetry.prometheus import PrometheusEndpoint

        async with AsyncExitStack() as stack:
            endpoint = None
            if args.prometheus is not None:
                endpoint = await stack.enter_async_context(PrometheusEndpoint(args.prometheus))
                _say(f"metrics: http://127.0.0.1:{endpoint.port}/metrics")
            first: set[str] = set()
            count = None if args.watch else 2
            interval = args.interval if args.watch else _GLANCE
            stream = watch(fleet, nodes, interval=interval, count=count)
            async for event in await stack.enter_async_context(aclosing(stream)):
                if isinstance(event, TelemetrySampled):
                    if count and event.node not in first:
                        first.add(event.node)
                        continue
                    if endpoint:
                        endpoint.take(event)
                yield event

    printer: Printer = JsonPrinter() if args.json else _printer(args, inventory)
    return run_operation(inventory, printer, look)


def _inventory(args: argparse.Namespace) -> Inventory:
    from fleet.inventory import Inventory, default_master
    from tui.cli.options import DEFAULT_INVENTORY, inventory_of

    project = (args.project or Path()).resolve()
    named = args.inventory or args.workers is not None or args.workers_file is not None
    if args.local or (not named and not (project / DEFAULT_INVENTORY).exists()):
        return Inventory(project=project, master=default_master(project))
    return inventory_of(args)


def _selected(inventory: Inventory, args: argparse.Namespace) -> tuple[Any, ...]:
    from tui.cli.options import selected

    return selected(inventory, args)


def _printer(args: argparse.Namespace, inventory: Inventory) -> Printer:
    from fleet.telemetry.settings import DEFAULT_FILE, load_settings
    from tui.cli.gpu_printer import GpuPrinter
    from tui.cli.options import texts_of

    settings = load_settings(inventory.project / DEFAULT_FILE)
    return GpuPrinter(settings, watch=args.watch, texts=texts_of(args))


def _export(args: argparse.Namespace) -> int:
    import sys

    from fleet.telemetry import export, recorded_nodes
    from tui.cli.exits import DONE, UsageError

    runs = (args.project or Path()).resolve() / ".dtui" / "runs"
    kept = [folder for folder in sorted(runs.glob("*/")) if recorded_nodes(folder)]
    if args.run is not None:
        kept = [folder for folder in kept if folder.name == args.run]
    if not kept:
        which = f"run {args.run}" if args.run else "any run"
        raise UsageError(f"no telemetry of {which} is kept in {runs}")
    count = export(kept[-1], sys.stdout, args.export)
    _say(f"{count} samples of run {kept[-1].name}")
    return DONE


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr, flush=True)
