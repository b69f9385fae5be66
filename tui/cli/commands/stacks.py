"""``dtui stacks``: the line on which each rank of a run is, ranks with the same stack together."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from agent.wire.message import message
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.exits import DONE, FAILED
from tui.cli.options import add_inventory_options, add_run_argument, home_of, inventory_of
from tui.cli.output import out, write_json
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleet.runs import NodeStacks
    from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "stacks", help=message("help.stacks", "show the Python stacks of a run's ranks")
    )
    add_run_argument(parser)
    parser.add_argument(
        "--threads",
        action="store_true",
        help=message("help.stacks.threads", "also show the stacks of other threads"),
    )
    parser.add_argument(
        "--json", action="store_true", help=message("help.stacks.json", "print one JSON object")
    )
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Ask every node of the run; 1 when a node does not answer."""
    from fleet.runs import run_stacks
    from tui.cli.node_errors import errors_by_node, print_errors
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_request

    inventory, texts = inventory_of(args), texts_of(args)
    chosen = chosen_run(home_of(inventory), args.run, live=True)
    answers = run_request(inventory, texts, lambda fleet: run_stacks(fleet, chosen.plan))
    errors = errors_by_node(answers)
    if args.json:
        ranks = [rank for answer in answers for rank in answer.ranks]
        write_json({"run": chosen.run, "ranks": ranks, "errors": errors})
    else:
        for line in _lines(answers, texts, threads=args.threads):
            out(line)
        print_errors(answers, texts)
    return FAILED if errors else DONE


def _lines(answers: Sequence[NodeStacks], texts: Texts, *, threads: bool) -> Iterator[str]:
    from tui.views.stacks import none_alive, stack_groups

    groups = stack_groups({answer.node: answer.ranks for answer in answers}, texts, threads=threads)
    if not groups:
        yield texts.sentence(none_alive())
    for group in groups:
        yield from ("".join(text for text, _ in line) for line in group)
        yield ""
