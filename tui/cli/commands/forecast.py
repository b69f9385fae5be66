"""``dtui forecast``: how fast will it go on more nodes?"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.inventory import Inventory, Node
    from tui.cli.forecast_table import Measured

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser(
        "forecast",
        help="seconds a step and speed-up for 1 to N nodes, before training",
        description="Measures the ways between the nodes (seconds, bounded bytes), takes model size and "
        "compute time from the newest run, and prints what to expect of each way to share gradients.",
    )
    add_inventory_options(parser)
    group = parser.add_argument_group("forecast")
    group.add_argument("--parameters", metavar="N", help="parameters of the model, such as 42M")
    group.add_argument(
        "--step-seconds", type=float, metavar="S", help="seconds that one GPU computes a step, alone"
    )
    group.add_argument(
        "--bandwidth", type=float, metavar="MBIT", help="Mbit/s between nodes, instead of measuring"
    )
    group.add_argument(
        "--latency", type=float, default=0.3, metavar="MS", help="round trip, with --bandwidth (default: 0.3)"
    )
    group.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs of each node (default: those that are found)"
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Measure, compute, print the table on stdout."""
    from fleet.forecast import find_workload
    from tui.cli.exits import DONE, FAILED, UsageError
    from tui.cli.forecast_table import as_json, render, rows_of
    from tui.cli.options import home_of, inventory_of, selected, texts_of

    if args.step_seconds is not None and args.step_seconds <= 0:
        raise UsageError("--step-seconds must be more than 0")
    if args.bandwidth is not None and args.bandwidth <= 0:
        raise UsageError("--bandwidth must be more than 0")
    parameters = _number(args.parameters) if args.parameters else None
    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    workload = find_workload(home_of(inventory), parameters=parameters, step_seconds=args.step_seconds)
    measured = _given(args, nodes) if args.bandwidth else _measure(args, inventory, nodes)
    if measured is None:
        return FAILED
    rows = rows_of(workload, measured)
    print(as_json(rows) if args.json else render(workload, measured, rows, texts_of(args)))
    return DONE


def _number(text: str) -> float:
    from tui.cli.exits import UsageError

    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmbgKMBG]?)", text.strip())
    if match is None:
        raise UsageError(f"--parameters {text}: write a number such as 42M")
    return float(match[1]) * _UNITS[match[2].lower()]


def _given(args: argparse.Namespace, nodes: Sequence[Node]) -> Measured:
    from fleet.forecast import Link
    from tui.cli.forecast_table import Measured

    names = [node.name for node in nodes]
    links = {
        (source, target): Link(source, target, args.bandwidth * 1e6 / 8, args.latency / 1000)
        for source in names
        for target in names
        if source != target
    }
    gpus = {node.name: args.gpus or _declared(node) for node in nodes}
    return Measured(names, gpus, links, "gloo", given=True)


def _declared(node: Node) -> int:
    return (node.gpus if isinstance(node.gpus, int) else len(node.gpus or ())) or 1


def _measure(args: argparse.Namespace, inventory: Inventory, nodes: Sequence[Node]) -> Measured | None:
    """Return what was measured, None when some node did not let us."""
    from collections.abc import AsyncGenerator

    from fleet.events import CheckFinished, Event, NodeProbed, PairProbed
    from fleet.fleet import Fleet
    from fleet.forecast.links import links_of
    from fleet.preflight import PreflightOptions, preflight
    from tui.cli.exits import DONE
    from tui.cli.forecast_table import Measured
    from tui.cli.options import texts_of
    from tui.cli.printing import PlainPrinter
    from tui.cli.session import run_operation

    ways: list[PairProbed] = []
    facts: dict[str, dict[str, object]] = {}

    async def look(fleet: Fleet) -> AsyncGenerator[Event, None]:
        options = PreflightOptions(checks=("reach", "network"))
        async for event in preflight(fleet, nodes, options):
            if isinstance(event, PairProbed):
                ways.append(event)
            elif isinstance(event, NodeProbed):
                facts[event.node] = event.facts
            if not isinstance(event, CheckFinished) or event.status == "fail":
                yield event

    # Narration only: the table is the data.
    if run_operation(inventory, PlainPrinter(texts=texts_of(args)), look) != DONE:
        return None
    linux = all((one.get("os") or {}).get("system") == "Linux" for one in facts.values())  # type: ignore[attr-defined]
    found = {name: len(one.get("gpus") or ()) for name, one in facts.items()}  # type: ignore[arg-type]
    gpus = {node.name: args.gpus or found.get(node.name) or node.processes or 1 for node in nodes}
    backend = "nccl" if linux and all(found.values()) else "gloo"
    return Measured([node.name for node in nodes], gpus, links_of(ways), backend)
