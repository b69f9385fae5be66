"""``dtui sample``: a plan for a text, drawn by a run's network on the node that has its checkpoints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_output_options

    parser = subparsers.add_parser("sample", help="draw a plan for a text with a run's network")
    parser.add_argument("run", nargs="?", help="id of the run (default: the newest)")
    parser.add_argument("--text", required=True, help="what the plan should be like")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("plan.png"), metavar="FILE", help="where the PNG goes"
    )
    parser.add_argument(
        "--best", action="store_true", help="by the checkpoint that evaluated best, not by the newest"
    )
    parser.add_argument("--seed", type=int, default=0, help="another number draws another plan")
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Draw, print the file's path, and show the plan where there is a terminal with colours."""
    from fleet.runs import sample
    from tui.cli.exits import DONE, UsageError
    from tui.cli.options import home_of, inventory_of, texts_of
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_operation

    text = args.text.strip()
    if not text:
        raise UsageError("--text is empty: say what the plan should be like")
    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.run)
    status = run_operation(
        inventory,
        make_printer(json=args.json, texts=texts_of(args)),
        lambda fleet: sample(fleet, chosen.run, text, args.out, best=args.best, seed=args.seed),
    )
    if status == DONE and not args.json:
        _show(args.out)
        print(args.out)
    return status


def _show(path: Path) -> None:
    """Draw the plan on stderr, if that is a terminal with colours."""
    from rich.console import Console
    from rich.segment import Segments

    from tui.half_blocks import half_blocks
    from tui.png import PictureError, read_png

    console = Console(file=sys.stderr)
    if not console.is_terminal or console.color_system is None or console.no_color:
        return
    try:
        picture = read_png(path.read_bytes())
    except (OSError, PictureError):
        return  # a preview is no result: the file is there
    for line in half_blocks(picture, min(64, console.width), min(32, console.height - 4)):
        console.print(Segments(line))
