"""``dtui sweep``: finds processes that earlier runs left on the nodes, and ends them after asking."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from agent.wire.message import message
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.exits import DONE, FAILED
from tui.cli.options import add_inventory_options, inventory_of, selected
from tui.cli.output import ask_yes, err, is_terminal, out, write_json
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from agent.wire.runs import Orphan


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "sweep", help=message("help.sweep", "find processes left by earlier runs, and end them")
    )
    parser.add_argument(
        "--yes", action="store_true", help=message("help.sweep.yes", "end them without asking")
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help=message("help.sweep.json", "print one JSON object; end nothing"),
    )
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """List, ask, and end; 1 when a node does not answer or a process is left."""
    from fleet.runs import sweep
    from tui.cli.node_errors import errors_by_node, print_errors
    from tui.cli.session import run_request

    inventory, texts = inventory_of(args), texts_of(args)
    nodes = selected(inventory, args)
    answers = run_request(inventory, texts, lambda fleet: sweep(fleet, end=False, nodes=nodes))
    errors = errors_by_node(answers)
    if args.json:
        write_json({"orphans": {answer.node: answer.orphans for answer in answers}, "errors": errors})
        return FAILED if errors else DONE
    print_errors(answers, texts)
    count = sum(len(answer.orphans) for answer in answers)
    for answer in answers:
        for orphan in answer.orphans:
            out(f"{answer.node}: {_shown(orphan)}")
    if not count:
        err(texts.sentence(message("cli-sweep.none", "no process of an earlier run was found")))
        return FAILED if errors else DONE
    question = message("cli-sweep.ask", "end {count:n process/processes}?", count=count)
    if not args.yes:
        if not is_terminal("stdin"):
            err(texts.sentence(message("cli-sweep.not-asked", "nothing was ended; add --yes to end them")))
            return FAILED
        if not ask_yes(texts.capitalized(question)):
            err(texts.sentence(message("cli-sweep.nothing", "nothing was ended")))
            return DONE
    ended = run_request(inventory, texts, lambda fleet: sweep(fleet, end=True, nodes=nodes))
    for answer in ended:
        for orphan in answer.left:
            left = message("cli-sweep.left", "{process} could not be ended", process=_shown(orphan))
            err(f"✗ {answer.node}: {texts.translate(left)}")
    print_errors(ended, texts)
    total = sum(len(answer.ended) for answer in ended)
    done = message("cli-sweep.ended", "{count:n process/processes} ended", count=total)
    err(texts.sentence(done))
    return FAILED if errors or any(answer.left or answer.error for answer in ended) else DONE


def _shown(orphan: Orphan) -> str:
    return f"pid {orphan['pid']}  {orphan['name']}  (run {orphan['run']}, rank {orphan['rank']})"
