"""``dtui sample``: a plan for a text, drawn by a run's network on the node that has its checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.exits import DONE, UsageError
from tui.cli.options import add_inventory_options, add_run_argument, home_of, inventory_of
from tui.cli.output import drawing_console, out
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "sample", help=message("help.sample", "draw a plan for a text with a run's network")
    )
    add_run_argument(parser)
    parser.add_argument(
        "--text", required=True, help=message("help.sample.text", "description of the plan to draw")
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("plan.png"),
        metavar="FILE",
        help=message("help.sample.out", "path of the PNG file (default: plan.png)"),
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help=message("help.sample.best", "use the checkpoint with the best evaluation, not the newest"),
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help=message("help.sample.seed", "random seed; each draws another plan (default: 0)"),
    )
    add_inventory_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Draw, print the file's path, and show the plan where there is a terminal with colours."""
    from fleet.runs import sample
    from tui.cli.printers import make_printer
    from tui.cli.runs import chosen_run
    from tui.cli.session import run_operation

    text = args.text.strip()
    if not text:
        raise UsageError(
            message("cli.empty-text", "--text is empty"),
            message("cli.empty-text.remedy", "describe the plan, such as --text 'two rooms and a kitchen'"),
        )
    inventory = inventory_of(args)
    chosen = chosen_run(home_of(inventory), args.run)
    status = run_operation(
        inventory,
        make_printer(json=args.json, texts=texts_of(args)),
        lambda fleet: sample(fleet, chosen.run, text, args.out, best=args.best, seed=args.seed),
    )
    if status == DONE and not args.json:
        _show(args.out)
        out(str(args.out))
    return status


def _show(path: Path) -> None:
    """Draw the plan on stderr, if that is a terminal with colours."""
    from rich.segment import Segments

    from transports.regular_files import read_regular
    from tui.rendering.half_blocks import half_blocks
    from tui.rendering.png import LARGEST, PictureError, read_png

    console = drawing_console(stderr=True)
    if not console.is_terminal or console.color_system is None or console.no_color:
        return
    try:
        picture = read_png(read_regular(path, LARGEST))
    except (OSError, PictureError):
        return  # without a preview, the file is still there
    for line in half_blocks(picture, min(64, console.width), min(32, console.height - 4)):
        console.print(Segments(line))
