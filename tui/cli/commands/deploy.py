"""``dtui deploy``: the project, its environment and its configuration onto every node."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import (
        add_deploy_options,
        add_inventory_options,
        add_output_options,
        add_run_options,
    )

    parser = subparsers.add_parser(
        "deploy", help="send what differs, build environments, write configurations"
    )
    add_inventory_options(parser)
    add_run_options(parser)
    add_deploy_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Deploy to every node that passes the first checks."""
    from tui.cli.way import go

    return go(args, deploy_only=True, dry_run=args.dry_run)
