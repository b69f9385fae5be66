"""``dtui demo``: the full workflow on loopback nodes."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from lab.errors import LabError
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.columns import aligned
from tui.cli.commands.console import add_screen_options
from tui.cli.exits import FAILED, UsageError
from tui.cli.output import err, is_terminal
from tui.cli.subparsers import Subparsers
from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo", help=message("help.demo", "try the full workflow on local loopback nodes")
    )
    parser.add_argument(
        "--headless",
        action="store_true",
        help=message("help.demo.headless", "run once without the console, then end"),
    )
    parser.add_argument(
        "--nodes",
        type=int,
        default=3,
        metavar="N",
        help=message("help.demo.nodes", "number of nodes, including the master (default: 3)"),
    )
    parser.add_argument(
        "--transport",
        choices=("ssh", "winrm", "mixed"),
        default="ssh",
        help=message("help.demo.transport", "transport to the nodes (default: ssh)"),
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("dtui-demo"),
        metavar="DIR",
        help=message("help.demo.dir", "project folder (default: dtui-demo)"),
    )
    add_screen_options(parser.add_argument_group(message("help.group.console", "console")))
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Open the console on a demo, or run it once where there is no terminal."""
    import asyncio

    if args.nodes < 2:
        raise UsageError(message("cli.demo-nodes", "--nodes must be 2 or more"))
    workers = args.nodes - 1
    winrm = {"ssh": 0, "winrm": workers, "mixed": workers // 2}[args.transport]
    folder = args.dir.resolve()
    if not args.headless and not args.json and is_terminal("stdout"):
        from tui.cli.console_launch import run_demo

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
_RESULTS = (
    (message("cli-demo.checkpoints", "checkpoints"), "checkpoints/*/"),
    (message("cli-demo.samples", "samples"), "checkpoints/*/samples/*.png"),
    (message("cli-demo.logs", "logs"), "logs/train_*"),
    (message("cli-demo.run", "run"), ".dtui/runs/*"),
)


async def _headless(folder: Path, nodes: int, winrm: int, *, json: bool, texts: Texts) -> int:
    from fleet import commands
    from fleet.runs.steps import RunToEnd
    from fleet.steps import Job, run_steps
    from lab.demo import start_demo
    from tui.cli.printers import make_printer
    from tui.cli.session import play

    try:
        async with start_demo(folder, nodes=nodes, winrm=winrm) as demo:
            status = await play(
                demo.inventory,
                make_printer(json=json, texts=texts),
                lambda fleet: run_steps(Job(fleet, fleet.nodes), commands.up(RunToEnd())),
                demo.lab.prompts,
            )
    except LabError as error:
        err(f"dtui: {error}")
        return FAILED
    found = [(texts.translate(title), sorted(folder.glob(pattern))) for title, pattern in _RESULTS]
    for line in aligned([(title, str(paths[-1])) for title, paths in found if paths]):
        err(line)
    return status
