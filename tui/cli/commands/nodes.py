"""``dtui nodes``: the inventory, with the hardware and the status of each node."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.wire.message import message
from agent.wire.units import byte_size
from fleet.terminal import one_line
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.columns import TextColumn, table
from tui.cli.exits import DONE
from tui.cli.options import add_inventory_options, inventory_of, selected
from tui.cli.output import out
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from fleet.events import LinkChanged
    from fleet.facts import NodeFacts
    from fleet.inventory import Node
    from tui.i18n import Texts

#: Characters of a cell; a longer value ends in an ellipsis.
_WIDEST = 60


class NodeRow(NamedTuple):
    """What a line shows: a node of the inventory, its link and its facts, as far as they are known."""

    node: Node
    link: LinkChanged | None
    facts: NodeFacts | None


def _system(row: NodeRow, texts: Texts) -> str:
    return (
        " ".join(filter(None, (row.facts["os"]["system"], row.facts["os"]["release"]))) if row.facts else ""
    )


def _ram(row: NodeRow, texts: Texts) -> str:
    total = row.facts["ram"]["total"] if row.facts else None
    return byte_size(total) if total else ""


#: Every column; an empty cell is shown as ``-``.
COLUMNS: Final[tuple[TextColumn[NodeRow], ...]] = (
    TextColumn(message("nodes-table.node", "node"), lambda row, texts: row.node.name),
    TextColumn(message("nodes-table.address", "address"), lambda row, texts: row.node.address),
    TextColumn(message("nodes-table.transport", "transport"), lambda row, texts: row.node.transport),
    TextColumn(
        message("nodes-table.link", "link"),
        lambda row, texts: texts.word("link", row.link.state) if row.link else "",
    ),
    TextColumn(message("nodes-table.system", "system"), _system),
    TextColumn(
        message("nodes-table.gpus", "GPUs"),
        lambda row, texts: str(len(row.facts["gpus"])) if row.facts else "",
    ),
    TextColumn(message("nodes-table.ram", "RAM"), _ram),
    TextColumn(message("nodes-table.tags", "tags"), lambda row, texts: ",".join(row.node.tags)),
)


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "nodes", help=message("help.nodes", "list nodes with their hardware and status")
    )
    add_inventory_options(parser)
    parser.add_argument(
        "--offline",
        action="store_true",
        help=message("help.nodes.offline", "list the inventory without connecting to any node"),
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Connect to every node, then print one line for each on stdout."""
    from fleet.events import Event, LinkChanged, NodeProbed
    from fleet.fleet import Fleet
    from tui.cli.printers import make_printer
    from tui.cli.session import run_operation

    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    facts: dict[str, NodeFacts] = {}
    links: dict[str, LinkChanged] = {}

    async def operation(fleet: Fleet) -> AsyncGenerator[Event, None]:
        async for event in fleet.connect(nodes):
            if isinstance(event, NodeProbed):
                facts[event.node] = event.facts
            elif isinstance(event, LinkChanged):
                links[event.node] = event
            yield event

    status, texts = DONE, texts_of(args)
    if not args.offline:
        status = run_operation(inventory, make_printer(json=args.json, texts=texts), operation)
    if not args.json:
        rows = [NodeRow(node, links.get(node.name), facts.get(node.name)) for node in nodes]
        for line in table(_shortened(COLUMNS), rows, texts):
            out(line)
    return status


def _shortened(columns: Sequence[TextColumn[NodeRow]]) -> list[TextColumn[NodeRow]]:
    """Return the columns with cells that are short, on one line, and never empty."""

    def short(cell: Callable[[NodeRow, Texts], str]) -> Callable[[NodeRow, Texts], str]:
        return lambda row, texts: one_line(cell(row, texts) or "-", _WIDEST)

    return [column._replace(cell=short(column.cell)) for column in columns]
