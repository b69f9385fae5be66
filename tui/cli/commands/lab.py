"""``dtui lab``: loopback nodes to try things on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("lab", help="start loopback nodes and keep them until Ctrl-C")
    parser.add_argument("--nodes", type=int, default=3, metavar="N", help="how many (default: 3)")
    parser.add_argument("--winrm", type=int, default=0, metavar="N", help="how many of them speak WinRM")
    parser.add_argument("--windows", action="store_true", help="Windows nodes under Wine")
    parser.add_argument(
        "--inventory-out", type=Path, metavar="FILE", help="write an inventory with these nodes"
    )
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Start the nodes, stay in the foreground, leave nothing behind."""
    import asyncio

    from lab.command import serve

    return asyncio.run(serve(args.nodes, args.inventory_out, winrm=args.winrm, windows=args.windows))
