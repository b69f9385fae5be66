"""``dtui gpu``: the load of every GPU, of the fleet or of this machine alone, once or continuously."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

from agent.wire.message import message
from fleet.inventory import Inventory, default_master
from tui.cli.basic_options import DEFAULT_INVENTORY, add_output_options, project_of, texts_of
from tui.cli.exits import DONE, UsageError
from tui.cli.options import add_inventory_options, inventory_of, selected
from tui.cli.output import data_stream, err
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet.events import Event
    from fleet.fleet import Fleet
    from tui.cli.printing import Printer

#: Seconds between the two samples from which the rates of a single answer are computed.
_GLANCE = 0.5


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "gpu",
        help=message("help.gpu", "show the load of every GPU"),
        description=message(
            "help.gpu.text",
            "shows the load of the inventory's GPUs, or of this machine alone without an inventory",
        ),
    )
    add_inventory_options(parser)
    parser.add_argument(
        "--local",
        action="store_true",
        help=message("help.gpu.local", "only this machine, without the inventory"),
    )
    parser.add_argument(
        "--watch", action="store_true", help=message("help.gpu.watch", "refresh until Ctrl-C")
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=1.0,
        metavar="S",
        help=message("help.gpu.interval", "seconds between samples (default: 1)"),
    )
    parser.add_argument(
        "--prometheus",
        type=int,
        metavar="PORT",
        help=message("help.gpu.prometheus", "with --watch: serve /metrics on 127.0.0.1:PORT"),
    )
    parser.add_argument(
        "--export",
        choices=("csv", "json"),
        help=message("help.gpu.export", "write the recorded samples of a run to stdout instead"),
    )
    parser.add_argument(
        "--run",
        metavar="RUN",
        help=message("help.gpu.run", "with --export: id of the run (default: the newest)"),
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print samples as a table, redraw it while watching, or print them as JSON lines."""
    from tui.cli.printing import JsonPrinter
    from tui.cli.session import run_operation

    if args.export:
        return _export(args)
    if args.prometheus is not None and not args.watch:
        raise UsageError(
            message("cli.prometheus-alone", "--prometheus requires --watch"),
            message("cli.prometheus-alone.remedy", "add --watch"),
        )
    if not 0.1 <= args.interval <= 3600:
        raise UsageError(message("cli.interval", "--interval must be between 0.1 and 3600 seconds"))
    inventory = _inventory(args)
    nodes = inventory.nodes if args.local else selected(inventory, args)

    async def operation(fleet: Fleet) -> AsyncGenerator[Event, None]:
        from fleet.events import TelemetrySampled
        from fleet.telemetry import watch
        from fleet.telemetry.prometheus import PrometheusEndpoint

        async with AsyncExitStack() as stack:
            endpoint = None
            if args.prometheus is not None:
                endpoint = await stack.enter_async_context(PrometheusEndpoint(args.prometheus))
                url = f"http://127.0.0.1:{endpoint.port}/metrics"
                err(texts_of(args).capitalized(message("cli.prometheus", "metrics: {url}", url=url)))
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
                        endpoint.add(event)
                yield event

    printer: Printer = JsonPrinter() if args.json else _printer(args, inventory)
    return run_operation(inventory, printer, operation)


def _inventory(args: argparse.Namespace) -> Inventory:
    project = project_of(args)
    named = args.inventory or args.workers is not None or args.workers_file is not None
    if args.local or (not named and not (project / DEFAULT_INVENTORY).exists()):
        return Inventory(project=project, master=default_master(project))
    return inventory_of(args)


def _printer(args: argparse.Namespace, inventory: Inventory) -> Printer:
    from fleet.telemetry.settings import DEFAULT_FILE, load_settings
    from tui.cli.gpu_printer import GpuPrinter

    settings = load_settings(inventory.project / DEFAULT_FILE)
    return GpuPrinter(settings, watch=args.watch, texts=texts_of(args))


def _export(args: argparse.Namespace) -> int:
    from fleet.telemetry import export, recorded_nodes

    runs = project_of(args) / ".dtui" / "runs"
    kept = [folder for folder in sorted(runs.glob("*/")) if recorded_nodes(folder)]
    if args.run is not None:
        kept = [folder for folder in kept if folder.name == args.run]
    if not kept:
        raise UsageError(
            message(
                "cli.no-telemetry-of-run",
                "{folder} has no telemetry of run {run}",
                run=args.run,
                folder=str(runs),
            )
            if args.run
            else message("cli.no-telemetry", "{folder} has no telemetry", folder=str(runs))
        )
    count, name = export(kept[-1], data_stream(), args.export), kept[-1].name
    text = message("cli.exported", "exported {count:n sample} of run {run}", count=count, run=name)
    err(texts_of(args).sentence(text))
    return DONE
