"""``dtui nodes``: the inventory with what each node is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from fleet.inventory import Node


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser("nodes", help="list the nodes, connected and looked at")
    add_inventory_options(parser)
    parser.add_argument("--offline", action="store_true", help="only what the inventory says")
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Connect to every node, then print one line for each on stdout."""
    from collections.abc import AsyncGenerator

    from fleet.events import Event, LinkChanged, NodeProbed
    from fleet.fleet import Fleet
    from tui.cli.exits import DONE
    from tui.cli.options import inventory_of, selected, texts_of
    from tui.cli.printers import make_printer
    from tui.cli.session import run_operation

    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    facts: dict[str, dict[str, Any]] = {}
    links: dict[str, LinkChanged] = {}

    async def look(fleet: Fleet) -> AsyncGenerator[Event, None]:
        async for event in fleet.connect(nodes):
            if isinstance(event, NodeProbed):
                facts[event.node] = event.facts
            elif isinstance(event, LinkChanged):
                links[event.node] = event
            yield event

    status = DONE
    if not args.offline:
        status = run_operation(inventory, make_printer(json=args.json, texts=texts_of(args)), look)
    if not args.json:
        rows = [
            ("NODE", "ADDRESS", "TRANSPORT", "LINK", "SYSTEM", "GPUS", "RAM", "TAGS"),
            *(_row(node, links.get(node.name), facts.get(node.name) or {}) for node in nodes),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return status


def _row(node: Node, link: Any, facts: dict[str, Any]) -> tuple[str, ...]:
    from tui.cli.narrate import size

    system = facts.get("os") or {}
    gpus = facts.get("gpus")
    memory = (facts.get("ram") or {}).get("total")
    return (
        node.name,
        node.address or "-",
        node.transport,
        link.state if link else "-",
        " ".join(str(system.get(key)) for key in ("system", "release") if system.get(key)) or "-",
        str(len(gpus)) if gpus is not None else "-",
        size(memory) if memory else "-",
        ",".join(node.tags) or "-",
    )
