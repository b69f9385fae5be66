"""``dtui forecast``: the expected speed on more nodes."""

from __future__ import annotations

import argparse
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.exits import DONE, FAILED, UsageError
from tui.cli.options import add_inventory_options, home_of, inventory_of, selected
from tui.cli.output import out, out_json
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet.facts import NodeFacts
    from fleet.inventory import Inventory, Node
    from tui.cli.forecast_table import Measured

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "forecast",
        help=message("help.forecast", "predict s/step and speed-up on 1 to N nodes, before training"),
        description=message(
            "help.forecast.text",
            "measures the connections between the nodes (a few seconds, limited traffic), takes model size "
            "and compute time from the newest run, and predicts the speed of each gradient exchange method",
        ),
    )
    add_inventory_options(parser)
    group = parser.add_argument_group(message("help.group.forecast", "forecast"))
    group.add_argument(
        "--parameters",
        metavar="N",
        help=message("help.forecast.parameters", "parameters of the model, such as 42M"),
    )
    group.add_argument(
        "--step-seconds",
        type=float,
        metavar="S",
        help=message("help.forecast.step-seconds", "compute time per step on one GPU, in seconds"),
    )
    group.add_argument(
        "--bandwidth",
        type=float,
        metavar="MBIT",
        help=message(
            "help.forecast.bandwidth", "bandwidth between nodes in Mbit/s, instead of a measurement"
        ),
    )
    group.add_argument(
        "--latency",
        type=float,
        default=0.3,
        metavar="MS",
        help=message("help.forecast.latency", "round trip time in ms, with --bandwidth (default: 0.3)"),
    )
    group.add_argument(
        "--gpus",
        type=int,
        metavar="N",
        help=message("help.forecast.gpus", "GPUs per node (default: detected)"),
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Measure, compute, print the table on stdout."""
    from fleet.forecast import find_workload
    from tui.cli.forecast_table import as_json, render, rows_of

    if args.step_seconds is not None and args.step_seconds <= 0:
        raise UsageError(message("cli.step-seconds", "--step-seconds must be more than 0"))
    if args.bandwidth is not None and args.bandwidth <= 0:
        raise UsageError(message("cli.bandwidth", "--bandwidth must be more than 0"))
    parameters = _number(args.parameters) if args.parameters else None
    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    workload = find_workload(home_of(inventory), parameters=parameters, step_seconds=args.step_seconds)
    measured = _given(args, nodes) if args.bandwidth else _measure(args, inventory, nodes)
    if measured is None:
        return FAILED
    rows = rows_of(workload, measured)
    if args.json:
        out_json(as_json(rows))
    else:
        out(render(workload, measured, rows, texts_of(args)))
    return DONE


def _number(text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmbgKMBG]?)", text.strip())
    if match is None:
        raise UsageError(
            message("cli.bad-parameters", "--parameters: {text!r} is not a number such as 42M", text=text)
        )
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
    """Return what was measured, None when a node failed."""
    from fleet.events import CheckFinished, Event, NodeProbed, PairProbed
    from fleet.fleet import Fleet
    from fleet.forecast.links import links_of
    from fleet.preflight import PreflightOptions, preflight
    from tui.cli.forecast_table import Measured
    from tui.cli.printing import PlainPrinter
    from tui.cli.session import run_operation

    pairs: list[PairProbed] = []
    facts: dict[str, NodeFacts] = {}

    async def operation(fleet: Fleet) -> AsyncGenerator[Event, None]:
        options = PreflightOptions(checks=("reach", "network"))
        async for event in preflight(fleet, nodes, options):
            if isinstance(event, PairProbed):
                pairs.append(event)
            elif isinstance(event, NodeProbed):
                facts[event.node] = event.facts
            if not isinstance(event, CheckFinished) or event.status == "fail":
                yield event

    # Narration only: the table is the data.
    if run_operation(inventory, PlainPrinter(texts=texts_of(args)), operation) != DONE:
        return None
    linux = all(one["os"]["system"] == "Linux" for one in facts.values())
    found = {name: len(one["gpus"]) for name, one in facts.items()}
    gpus = {node.name: args.gpus or found.get(node.name) or node.processes or 1 for node in nodes}
    backend = "nccl" if linux and all(found.values()) else "gloo"
    return Measured([node.name for node in nodes], gpus, links_of(pairs), backend)
