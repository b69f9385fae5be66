"""``dtui lab``: loopback nodes for experiments."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "lab", help=message("help.lab", "start loopback nodes and keep them until Ctrl-C")
    )
    parser.add_argument(
        "--nodes",
        type=int,
        default=3,
        metavar="N",
        help=message("help.lab.nodes", "number of nodes (default: 3)"),
    )
    parser.add_argument(
        "--winrm",
        type=int,
        default=0,
        metavar="N",
        help=message("help.lab.winrm", "number of nodes that use WinRM (default: 0)"),
    )
    parser.add_argument(
        "--windows", action="store_true", help=message("help.lab.windows", "Windows nodes under Wine")
    )
    parser.add_argument(
        "--inventory-out",
        type=Path,
        metavar="FILE",
        help=message("help.lab.inventory-out", "write an inventory with these nodes"),
    )
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Start the nodes, stay in the foreground, and clean up at the end."""
    import asyncio

    from lab.command import serve

    return asyncio.run(serve(args.nodes, args.inventory_out, winrm=args.winrm, windows=args.windows))
