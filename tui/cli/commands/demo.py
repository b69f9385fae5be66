"""``dtui demo``: the whole job on loopback nodes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.commands.console import add_screen_options
from tui.cli.subparsers import Subparsers
from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_output_options

    parser = subparsers.add_parser("demo", help="the whole job on nodes made up on this machine")
    parser.add_argument("--headless", action="store_true", help="without the console: run once, then end")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="with the master (default: 3)")
    parser.add_argument(
        "--transport", choices=("ssh", "winrm", "mixed"), default="ssh", help="how the nodes are reached"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("dtui-demo"),
        metavar="DIR",
        help="project folder (default: dtui-demo)",
    )
    add_screen_options(parser.add_argument_group("console"))
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Open the console on a demo, or run it once where there is no terminal."""
    import asyncio
    import sys

    from tui.cli.exits import UsageError
    from tui.cli.options import texts_of

    if args.nodes < 2:
        raise UsageError("a distributed run has at least 2 nodes: --nodes 2")
    workers = args.nodes - 1
    winrm = {"ssh": 0, "winrm": workers, "mixed": workers // 2}[args.transport]
    folder = args.dir.resolve()
    if not args.headless and not args.json and sys.stdout.isatty():
        from tui.console import run_demo

        return run_demo(
            folder,
            nodes=args.nodes,
            winrm=winrm,
            lang=args.lang,
            theme=args.theme,
            read_only=args.read_only,
        )
    return asyncio.run(_headless(folder, args.nodes, winrm, json=args.json, texts=texts_of(args)))


#: What a demo leaves, and where below its folder.
_MADE = (
    ("checkpoints", "checkpoints/*/"),
    ("samples", "checkpoints/*/samples/*.png"),
    ("logs", "logs/train_*"),
    ("run", ".dtui/runs/*"),
)


async def _headless(folder: Path, nodes: int, winrm: int, *, json: bool, texts: Texts) -> int:
    import sys

    from fleet.up import UpOptions, up
    from lab.demo import start_demo
    from lab.errors import LabError
    from tui.cli.exits import FAILED
    from tui.cli.printers import make_printer
    from tui.cli.session import play

    try:
        async with start_demo(folder, nodes=nodes, winrm=winrm) as demo:
            status = await play(
                demo.inventory,
                make_printer(json=json, texts=texts),
                lambda fleet: up(fleet, fleet.nodes, UpOptions()),
                demo.lab.prompts,
            )
    except LabError as error:
        print(f"dtui: {error}", file=sys.stderr)
        return FAILED
    for what, pattern in _MADE:
        found = sorted(folder.glob(pattern))
        if found:
            print(f"{what:12} {found[-1]}", file=sys.stderr)
    return status
